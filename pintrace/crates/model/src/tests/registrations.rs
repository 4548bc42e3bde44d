//! Tests of refused registrations.

use pintrace_common::registrations::kind;
use pintrace_events::units::{AccountId, Pid};
use pintrace_events::{AccountOpened, Body, Evidence, RegistrationFailed};
use pintrace_testing::event_builder::EventBuilder;

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
