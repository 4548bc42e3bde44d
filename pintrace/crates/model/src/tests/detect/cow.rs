//! Tests of copies of pinned pages.

use pintrace_events::units::{Nanos, Pid};
use pintrace_events::{Body, CowSampled};
use pintrace_testing::event_builder::SECOND;

use crate::finding::{FindingKind, Severity, TriggerKind};
use crate::subsystem::Subsystem;
use crate::tests::snapshot;

use super::{BUFFER, PAGE, copies, exclusive, only_finding, pinned};

#[test]
fn a_copy_of_a_pinned_page_is_an_alarm_if_the_kernel_should_prevent_it() {
    let of = |exclusive: bool, change: fn(&mut CowSampled)| {
        let mut copies = copies();
        change(&mut copies);
        let mut builder = pinned();
        self::exclusive(&mut builder, exclusive);
        builder.emit(Body::CowSampled(Box::new(copies)));
        let finding = only_finding(&builder);
        (finding.severity, finding.trigger.unwrap().what)
    };
    assert_eq!(of(true, |_| {}), (Severity::Alarm, TriggerKind::Write));
    assert_eq!(of(false, |_| {}), (Severity::Hazard, TriggerKind::Write));
    assert_eq!(
        of(true, |copies| copies.anonymous = false),
        (Severity::Hazard, TriggerKind::Write)
    );
    assert_eq!(
        of(true, |copies| copies.unshare = true),
        (Severity::Note, TriggerKind::Unshare)
    );
}

#[test]
fn a_copy_has_the_evidence_of_a_closed_extent() {
    let mut builder = pinned();
    builder
        .extent_closed(1, 16, 7)
        .emit(Body::CowSampled(Box::new(copies())));
    let finding = only_finding(&builder);
    assert_eq!(
        (finding.pid, finding.comm.as_str(), finding.count, finding.pages),
        (Pid(7), "app", 2, 2)
    );
    let pin = finding.pin.unwrap();
    assert_eq!(
        (pin.address, pin.end, pin.longterm),
        (BUFFER, BUFFER + 16 * PAGE, true)
    );
    assert_eq!(
        (pin.age, pin.pages, pin.subsystem),
        (Nanos(SECOND / 2), 16, Subsystem::IoUring)
    );
}

#[test]
fn a_later_sample_of_copies_keeps_the_evidence() {
    let mut builder = pinned();
    builder
        .emit(Body::CowSampled(Box::new(copies())))
        .extent_closed(1, 16, 7)
        .totals(1, 16, 16)
        .account_closed(1)
        .emit(Body::CowSampled(Box::new(CowSampled {
            copies: 5,
            in_window: 1,
            ..copies()
        })));
    let snapshot = snapshot(&builder);
    let [window, cow] = &snapshot.findings[..] else {
        panic!("{:#?}", snapshot.findings);
    };
    assert_eq!(
        (cow.kind, window.kind),
        (FindingKind::CowInFlushWindow, FindingKind::CowAfterPin)
    );
    assert_eq!((cow.count, cow.severity, cow.pages), (1, Severity::Alarm, 1));
    assert_eq!(
        (window.count, window.pin.as_ref().unwrap().end),
        (5, BUFFER + 16 * PAGE)
    );
    let counted = |kind, severity| snapshot.finding_counts[&(kind, severity)];
    assert_eq!(counted(FindingKind::CowAfterPin, Severity::Alarm), 5);
    assert_eq!(counted(FindingKind::CowAfterPin, Severity::Note), 0);
}
