//! Arbitrary events of pin calls.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use pintrace_events::units::{Nanos, Tid};
use pintrace_events::{
    Body, CallInFlight, CallsInFlight, FileId, PinCallsSampled, Registration, RegistrationFailed,
};

use super::{account, name, number, pid, stack};

// The strategies are boxed, because the tree of a strategy of all events would not fit on the stack of a test.
pub(super) fn sampled() -> BoxedStrategy<Body> {
    (
        account(),
        // More counts than there are buckets.
        vec(number(), 0..40),
        (number(), number(), number(), number()),
        (registration(), option::of(registration())),
        btree_map(0..200_u32, number(), 0..4),
    )
        .prop_map(
            |(account, durations, (total, wanted, dropped, count), (latest, previous), failures)| {
                Body::PinCallsSampled(Box::new(PinCallsSampled {
                    account,
                    durations,
                    total: Nanos(total),
                    longest: Nanos(wanted),
                    untimed: count,
                    wanted,
                    pinned: dropped,
                    dropped,
                    moved: count,
                    retried: count,
                    registrations: count,
                    latest,
                    previous,
                    failures,
                }))
            },
        )
        .boxed()
}

pub(super) fn in_flight() -> BoxedStrategy<Body> {
    (vec(call(), 0..3), number())
        .prop_map(|(calls, number)| Body::CallsInFlight(CallsInFlight { calls, number }))
        .boxed()
}

pub(super) fn registration_failed() -> BoxedStrategy<Body> {
    (
        pid(),
        name(),
        0..4_u32,
        (number(), number()),
        any::<Option<u64>>(),
    )
        .prop_map(|(pid, comm, kind, (count, pages), limit)| {
            Body::RegistrationFailed(Box::new(RegistrationFailed {
                pid,
                comm,
                kind,
                operation: kind,
                errno: 12,
                count,
                more: limit,
                last: Nanos(pages),
                wanted: limit,
                wants_more: kind == 1,
                limit,
                exempt: kind == 2,
                user_locked: pages,
                mm_pinned: count,
                mm_locked: pages,
                uid: kind,
                cgroup: count,
            }))
        })
        .boxed()
}

fn registration() -> impl Strategy<Value = Registration> {
    (number(), number(), number(), number()).prop_map(|(began, ended, wanted, pinned)| Registration {
        began: Nanos(began),
        ended: Nanos(ended),
        calls: wanted,
        wanted,
        pinned,
    })
}

fn call() -> impl Strategy<Value = CallInFlight> {
    (
        pid(),
        (number(), number(), number()),
        option::of(account()),
        option::of(stack()),
        any::<Option<u32>>(),
        any::<bool>(),
    )
        .prop_map(
            |(pid, (began, wanted, dropped), account, stack, descriptor, migrates)| CallInFlight {
                pid,
                tid: Tid(pid.0),
                comm: "pinload".to_owned(),
                began: Nanos(began),
                wanted,
                dropped,
                migrates,
                account,
                stack,
                file: FileId(wanted % 3),
                descriptor,
                cgroup: dropped,
            },
        )
}
