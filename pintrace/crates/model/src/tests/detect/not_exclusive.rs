//! Tests of pinned anonymous pages that are not exclusive.

use pintrace_events::units::AccountId;
use pintrace_events::{AccountSampled, Body};
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES};

use crate::finding::{FindingKind, Severity};
use crate::tests::snapshot;

fn sampled(builder: &mut EventBuilder, not_exclusive: u64) {
    builder.emit(Body::AccountSampled(AccountSampled {
        account: AccountId(1),
        acquired: 8,
        calls: 1,
        not_exclusive,
        ..AccountSampled::default()
    }));
}

#[test]
fn pages_that_are_not_exclusive_are_one_alarm_with_their_number() {
    let mut builder = EventBuilder::begin();
    builder.account(1, 7, 7, IO_PIN_PAGES, true).process(7, "app");
    sampled(&mut builder, 0);
    assert!(snapshot(&builder).findings.is_empty());
    sampled(&mut builder, 2);
    sampled(&mut builder, 5);
    let snapshot = snapshot(&builder);
    let [finding] = &snapshot.findings[..] else {
        panic!("{:#?}", snapshot.findings);
    };
    let what = (finding.kind, finding.severity, finding.certain);
    assert_eq!(what, (FindingKind::PinnedNotExclusive, Severity::Alarm, true));
    let numbers = (finding.pages, finding.count, finding.comm.as_str());
    assert_eq!(numbers, (5, 5, "app"));
}
