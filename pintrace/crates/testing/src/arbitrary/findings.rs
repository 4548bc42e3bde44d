//! Arbitrary events from which the model makes findings.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use pintrace_events::units::{Nanos, Tid};
use pintrace_events::{
    AddressSpaceId, Body, Cause, ChangesSuppressed, CowSampled, Detail, DetailShed, ExtentMarked,
    FindingHooksAttached, FlushCheck, FollGetReference, MappingChange, MappingChanged, MmId, RangeIn,
    WindowsSampled,
};

use super::{account, extent, name, number, pid, stack};

/// Returns a strategy for events from which the model makes findings.
pub(super) fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        3 => mapping_changed(),
        1 => mm().prop_map(Body::MmExited),
        1 => address_space().prop_map(Body::AddressSpaceFreed),
        1 => (extent(), any::<[bool; 3]>()).prop_map(|(extent, marks)| {
            Body::ExtentMarked(ExtentMarked {
                extent,
                partially_released: marks[0],
                ambiguous_owner: marks[1],
                areas_unknown: marks[2],
            })
        }),
        2 => cow_sampled(),
        2 => windows_sampled(),
        1 => (pid(), name(), number())
            .prop_map(|(pid, comm, changes)| Body::ChangesSuppressed(ChangesSuppressed { pid, comm, changes })),
        1 => (any::<bool>(), number()).prop_map(|(findings, cost_ppm)| {
            Body::DetailShed(DetailShed {
                detail: if findings { Detail::Findings } else { Detail::Samples },
                cost_ppm,
                budget_ppm: 10_000,
            })
        }),
        1 => (number(), any::<bool>()).prop_map(|(first_pin, others_wait)| {
            Body::FindingHooksAttached(FindingHooksAttached {
                first_pin: Nanos(first_pin),
                others_wait,
                missing: Vec::new(),
            })
        }),
        1 => (number(), number(), number()).prop_map(|(agreed, covered_only, pending_only)| {
            Body::FlushCheckSampled(FlushCheck {
                agreed,
                covered_only,
                pending_only,
            })
        }),
    ]
}

/// One of three ids.
pub(super) fn mm() -> impl Strategy<Value = MmId> {
    (0..3_u64).prop_map(MmId)
}

/// One of three ids.
pub(super) fn address_space() -> impl Strategy<Value = AddressSpaceId> {
    (0..3_u64).prop_map(AddressSpaceId)
}

fn within() -> impl Strategy<Value = RangeIn> {
    prop_oneof![
        mm().prop_map(RangeIn::Mm),
        address_space().prop_map(RangeIn::AddressSpace)
    ]
}

fn mapping_changed() -> impl Strategy<Value = Body> {
    let what = prop::sample::select(vec![
        MappingChange::Munmap,
        MappingChange::Dontneed,
        MappingChange::GuardInstall,
        MappingChange::Mremap,
        MappingChange::UffdWp,
        MappingChange::Truncate,
        MappingChange::Fork,
    ]);
    (
        within(),
        what,
        number(),
        number(),
        number(),
        pid(),
        name(),
        option::of(stack()),
    )
        .prop_map(|(within, what, address, end, pages, pid, comm, stack)| {
            Body::MappingChanged(MappingChanged {
                within,
                what,
                address,
                end,
                pages,
                pid,
                tid: Tid(pid.0),
                comm,
                stack,
                after_loss: false,
            })
        })
}

fn cow_sampled() -> impl Strategy<Value = Body> {
    let whose = (
        0..3_u32,
        account(),
        option::of((number(), number())),
        pid(),
        name(),
    );
    let flags = (any::<bool>(), any::<bool>());
    let range = (number(), number());
    let counts = (number(), number(), number());
    let reference = (number(), pid(), option::of(stack()), any::<bool>()).prop_map(
        |(taken, pid, stack, read_under_way)| FollGetReference {
            taken: Nanos(taken),
            tid: Tid(pid.0),
            pid,
            stack,
            read_under_way,
        },
    );
    let moments = (number(), number(), option::of(stack()), option::of(reference));
    (whose, flags, range, counts, moments).prop_map(|(whose, flags, range, counts, moments)| {
        let (id, account, extent, pid, comm) = whose;
        let (unshare, anonymous) = flags;
        let (address, end) = range;
        let (copies, pages, in_window) = counts;
        let (first, last, stack, reference) = moments;
        Body::CowSampled(Box::new(CowSampled {
            id,
            account,
            extent: extent.map(|(address, since)| (address, Nanos(since))),
            unshare,
            anonymous,
            address,
            end,
            copies,
            pages,
            in_window,
            first: Nanos(first),
            last: Nanos(last),
            tid: Tid(pid.0),
            pid,
            comm,
            stack,
            reference,
        }))
    })
}

fn windows_sampled() -> impl Strategy<Value = Body> {
    let whose = (pid(), name(), prop::sample::select(Cause::ALL));
    let counts = (number(), number(), number(), number(), number());
    let moments = (number(), number(), number(), number());
    (whose, counts, moments, vec(number(), 0..70)).prop_map(|(whose, counts, moments, durations)| {
        let (pid, comm, cause) = whose;
        let (windows, pages, faults, copies, pins) = counts;
        let (longest_ns, first, last, address) = moments;
        Body::WindowsSampled(Box::new(WindowsSampled {
            pid,
            comm,
            cause,
            windows,
            pages,
            longest_ns,
            durations,
            faults,
            copies,
            pins,
            first: Nanos(first),
            last: Nanos(last),
            address,
        }))
    })
}
