//! Tests of the findings and losses that fail a check.

use pintrace_common::counters;
use pintrace_model::finding::{FindingKind, Severity};
use pintrace_model::snapshot::{Balance, Snapshot};

use super::{CheckResult, CheckRules, finding, mapping_change, noted, passes, passes_by_default, snapshot};
use crate::cmd::check::allow::AllowFile;
use crate::cmd::check::text;

#[test]
fn hazards_and_alarms_fail_and_notes_are_listed() {
    assert!(passes_by_default(&snapshot(vec![])));
    assert!(passes_by_default(&snapshot(vec![noted()])));
    assert!(!passes_by_default(&snapshot(vec![noted(), mapping_change()])));
    let alarm = finding(FindingKind::CowAfterPin, Severity::Alarm, "job");
    assert!(!passes_by_default(&snapshot(vec![alarm])));
}

#[test]
fn with_fail_on_only_the_named_kinds_fail() {
    let none = AllowFile::default();
    let fork = [FindingKind::ForkCopiedPinned];
    assert!(!passes(&snapshot(vec![noted()]), &fork, &none, false));
    assert!(passes(&snapshot(vec![mapping_change()]), &fork, &none, false));
}

#[test]
fn loss_fails_unless_it_is_allowed_or_hides_no_finding() {
    let none = AllowFile::default();
    for loss in counters::Loss::ALL {
        let mut lossy = snapshot(vec![]);
        lossy.loss[loss.index() as usize].1 = 1;
        let harmless = [
            "name_unread",
            "stack_lost",
            "pin_failures_full",
            "registrations_full",
            "calls_missed",
        ]
        .contains(&loss.name());
        assert_eq!(passes_by_default(&lossy), harmless, "{}", loss.name());
        assert!(passes(&lossy, &[], &none, true));
        lossy.findings = vec![mapping_change()];
        assert!(!passes(&lossy, &[], &none, true));
    }
    let changes: [fn(&mut Snapshot); 5] = [
        |snapshot| snapshot.loss.push(("unnamed", 1)),
        |snapshot| snapshot.unapplied_events = 1,
        |snapshot| snapshot.findings_dropped = 1,
        |snapshot| snapshot.balance.unaccounted = 1,
        |snapshot| snapshot.balance.unaccounted = -1,
    ];
    for change in changes {
        let mut lossy = snapshot(vec![]);
        change(&mut lossy);
        assert!(!passes_by_default(&lossy));
        assert!(passes(&lossy, &[], &none, true));
    }
}

#[test]
fn without_vmstat_the_check_passes_with_a_warning() {
    let mut unread = snapshot(vec![]);
    unread.balance = Balance {
        unaccounted: 5,
        ..Balance::default()
    };
    assert!(passes_by_default(&unread));
    let rules = CheckRules {
        fail_on: &[],
        allowed: &AllowFile::default(),
        allow_loss: false,
    };
    assert!(
        text::render(&CheckResult::reach(&unread, &rules))
            .contains("warning  the pin counters of /proc/vmstat")
    );
}
