//! Tests of refused registrations.

use pintrace_common::registrations::kind;
use pintrace_events::units::{AccountId, Nanos, Pid};
use pintrace_events::{AccountOpened, Body, Evidence, PinCallsSampled, RegistrationFailed};
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES};

use crate::limits;
use crate::registrations::{FailedRegistration, sentence};
use crate::tests::snapshot;

fn refused(pid: u32, count: u64) -> RegistrationFailed {
    RegistrationFailed {
        pid: Pid(pid),
        comm: "app".into(),
        kind: kind::IO_URING_REGISTER,
        errno: 12,
        count,
        uid: 1000,
        user_locked: 2048,
        limit: Some(8 << 20),
        ..RegistrationFailed::default()
    }
}

/// A refused registration while a daemon of the same user has pages that a scan found by this evidence.
fn refused_beside(evidence: Evidence, likely_subsystem: &str) -> FailedRegistration {
    let mut builder = EventBuilder::begin();
    builder
        .process(7, "daemon")
        .emit(Body::AccountOpened(AccountOpened {
            account: AccountId(1),
            pid: Pid(7),
            from_scan: true,
            likely_subsystem: likely_subsystem.into(),
            evidence: Some(evidence),
            ..AccountOpened::default()
        }))
        .totals(1, 2048, 0)
        .emit(Body::RegistrationFailed(Box::new(refused(8, 1))));
    snapshot(&builder).failed_registrations.remove(0)
}

#[test]
fn a_refused_registration_names_the_holder_of_pins_that_are_older_than_the_session() {
    let refused = refused_beside(Evidence::KernelTable, "io_uring");
    assert_eq!(
        (refused.held_by_user, refused.holders.as_slice()),
        (2048, [(Pid(7), "daemon".to_owned(), 2048)].as_slice())
    );
    assert!(
        sentence(&refused)
            .ends_with("the user's processes held 8 MiB by io_uring and AF_XDP: daemon (7) 8 MiB."),
        "{}",
        sentence(&refused)
    );
}

#[test]
fn pins_that_no_table_names_or_that_are_charged_to_the_process_name_no_holder() {
    for (evidence, subsystem) in [
        (Evidence::PageTables, "io_uring"),
        (Evidence::KernelTable, "rdma"),
    ] {
        let refused = refused_beside(evidence, subsystem);
        assert_eq!((refused.held_by_user, refused.holders.len()), (0, 0));
    }
}

/// Number of refusals of a stream of (pid, refusals of the process, those of them since its last event, time).
fn refusals(events: impl IntoIterator<Item = (u32, u64, Option<u64>, u64)>) -> (u64, usize) {
    let mut builder = EventBuilder::begin();
    for (pid, count, more, last) in events {
        builder.emit(Body::RegistrationFailed(Box::new(RegistrationFailed {
            more,
            last: Nanos(last),
            ..refused(pid, count)
        })));
    }
    let snapshot = snapshot(&builder);
    assert_eq!(snapshot.unapplied_events, 0);
    (
        snapshot.registration_failures.values().sum(),
        snapshot.failed_registrations.len(),
    )
}

#[test]
fn refusals_of_a_process_whose_entry_gave_way_count_once() {
    let others = (2..=4097).map(|pid| (pid, 1, Some(1), pid.into()));
    let events = [(1, 1000, Some(1000), 1)]
        .into_iter()
        .chain(others)
        .chain([(1, 1001, Some(1), 5000)]);
    assert_eq!(refusals(events), (1001 + 4096, limits::FAILED_REGISTRATIONS));
}

#[test]
fn refusals_of_a_process_with_a_reused_pid_all_count() {
    assert_eq!(refusals([(1, 3, Some(3), 1), (1, 5, Some(5), 2)]), (8, 1));
}

#[test]
fn refusals_of_a_recording_without_increments_count_by_their_difference() {
    assert_eq!(
        refusals([(1, 3, None, 1), (1, 5, None, 2), (1, 2, None, 3)]),
        (7, 1)
    );
}

#[test]
fn a_row_of_pin_calls_has_the_refused_registrations_of_its_process_and_subsystem() {
    let mut builder = EventBuilder::begin();
    builder
        .symbol(IO_PIN_PAGES, "io_pin_pages", "")
        .process(8, "app")
        .account(1, 8, 8, IO_PIN_PAGES, true)
        .pin_calls(PinCallsSampled {
            account: AccountId(1),
            pinned: 192,
            registrations: 1,
            ..PinCallsSampled::default()
        })
        .emit(Body::RegistrationFailed(Box::new(refused(8, 3))))
        .emit(Body::RegistrationFailed(Box::new(refused(9, 5))));
    builder.emit(Body::RegistrationFailed(Box::new(RegistrationFailed {
        kind: kind::VFIO_MAP_DMA,
        ..refused(8, 7)
    })));
    let rows = snapshot(&builder).pin_calls;
    let refused: Vec<_> = rows.iter().map(|row| (row.pid, row.refused)).collect();
    assert_eq!(refused, [(Pid(8), 3)]);
}
