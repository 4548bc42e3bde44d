//! A stream with pin calls: a registration by many calls, failed calls, and a call in flight.

use std::collections::BTreeMap;

use pintrace_common::pin_calls::{BUCKETS, bucket_of};
use pintrace_common::registrations::{kind, operation};
use pintrace_events::units::{AccountId, Nanos, Pid, StackId, Tid};
use pintrace_events::{
    BalanceSampled, Body, CallInFlight, CallsInFlight, FileId, PinCallsSampled, Registration,
    RegistrationFailed,
};

use super::{EventBuilder, IO_PIN_PAGES, PROCESS_VM_RW, SECOND};

/// The thread whose call is in flight at the end of the stream.
pub const PINNING: u32 = 300;

/// Returns the stream: process 100 has registered 1 GiB by 512 calls, calls of process 200 have failed, and process
/// [`PINNING`] is pinning 2 GiB.
pub fn pin_call_fixtures() -> EventBuilder {
    let mut builder = EventBuilder::begin();
    builder
        .symbol(IO_PIN_PAGES, "io_pin_pages", "")
        .symbol(PROCESS_VM_RW, "process_vm_rw", "")
        .stack(3, &[IO_PIN_PAGES])
        .process(100, "rdma-server")
        .account(1, 100, 101, IO_PIN_PAGES, true)
        .wait(4 * SECOND)
        .totals(1, 1 << 18, 0)
        .pin_calls(registered())
        .process(200, "database")
        .account(2, 200, 200, IO_PIN_PAGES, true)
        .totals(2, 512, 512)
        .pin_calls(failing())
        .account(3, 200, 201, PROCESS_VM_RW, false)
        .totals(3, 0, 0)
        .pin_calls(PinCallsSampled {
            account: AccountId(3),
            failures: BTreeMap::from([(14, 7)]),
            ..PinCallsSampled::default()
        })
        .emit(Body::RegistrationFailed(Box::new(refused())))
        .emit(Body::CallsInFlight(CallsInFlight {
            calls: vec![in_flight()],
            number: 1,
        }))
        .emit(Body::BalanceSampled(Box::new(BalanceSampled {
            vmstat_acquired: Some((1 << 18) + 512 + (1 << 17)),
            vmstat_released: Some(512),
            ledger_acquired: (1 << 18) + 512,
            ledger_released: 512,
            wanted_in_flight: 1 << 19,
            ..BalanceSampled::default()
        })))
        .emit(Body::Tick);
    builder
}

fn registered() -> PinCallsSampled {
    let mut durations = vec![0; BUCKETS];
    durations[bucket_of(6_000_000)] = 500;
    durations[bucket_of(60_000_000)] = 12;
    let registration = Registration {
        began: Nanos(SECOND),
        ended: Nanos(5 * SECOND),
        calls: 512,
        wanted: 1 << 18,
        pinned: 1 << 18,
    };
    PinCallsSampled {
        account: AccountId(1),
        durations,
        total: Nanos(3_720_000_000),
        longest: Nanos(61_000_000),
        wanted: 1 << 18,
        pinned: 1 << 18,
        dropped: 1024,
        moved: 512,
        retried: 2,
        registrations: 1,
        latest: registration,
        ..PinCallsSampled::default()
    }
}

fn failing() -> PinCallsSampled {
    let mut durations = vec![0; BUCKETS];
    durations[bucket_of(40_000)] = 4;
    let registration = Registration {
        began: Nanos(4 * SECOND),
        ended: Nanos(4 * SECOND + 200_000_000),
        calls: 4,
        wanted: 4096,
        pinned: 512,
    };
    PinCallsSampled {
        account: AccountId(2),
        durations,
        total: Nanos(150_000),
        longest: Nanos(44_000),
        wanted: 4096,
        pinned: 512,
        registrations: 1,
        latest: registration,
        failures: BTreeMap::from([(0, 1), (12, 3)]),
        ..PinCallsSampled::default()
    }
}

fn refused() -> RegistrationFailed {
    RegistrationFailed {
        pid: Pid(200),
        comm: "database".into(),
        kind: kind::IO_URING_REGISTER,
        operation: operation::BUFFERS,
        errno: 12,
        count: 3,
        last: Nanos(4 * SECOND),
        wanted: Some(16 << 20),
        limit: Some(8 << 20),
        user_locked: 512,
        mm_pinned: 512,
        uid: 1000,
        ..RegistrationFailed::default()
    }
}

fn in_flight() -> CallInFlight {
    CallInFlight {
        pid: Pid(PINNING),
        tid: Tid(PINNING),
        comm: "qemu-system-x86".into(),
        began: Nanos(2 * SECOND),
        wanted: 1 << 19,
        stack: Some(StackId(3)),
        file: FileId(0xffff_8880_1234_0000),
        descriptor: Some(11),
        ..CallInFlight::default()
    }
}
