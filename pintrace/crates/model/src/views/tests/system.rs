//! The figures of the host.

use std::sync::Arc;

use pintrace_common::counters::Loss;
use pintrace_events::{Detail, DetailShed, MissingHook, Started};
use pintrace_testing::event_builder::fio_and_others;

use super::snapshot;
use crate::field::Value;
use crate::snapshot::{Balance, Snapshot};
use crate::views::system::{SystemGroup, SystemRow, of};

fn labels(rows: &[SystemRow], group: SystemGroup) -> Vec<&str> {
    let of_group = rows.iter().filter(|row| row.group == group);
    of_group.map(|row| row.label.as_ref()).collect()
}

fn row<'a>(rows: &'a [SystemRow], label: &str) -> &'a SystemRow {
    rows.iter().find(|row| row.label == label).unwrap()
}

#[test]
fn the_terms_of_the_balance_add_up_in_the_order_of_the_equation() {
    let rows = of(&snapshot(&fio_and_others().events));
    let terms = [
        "vmstat",
        "= preexisting",
        "+ ledger",
        "+ in_flight",
        "+ unaccounted",
    ];
    assert_eq!(labels(&rows, SystemGroup::Balance)[..5], terms);
    let values = terms.map(|label| match row(&rows, label).value {
        Value::Signed(pages) => pages,
        ref other => panic!("{label}: {other:?}"),
    });
    assert_eq!(values[0], values[1..].iter().sum::<i64>());
    assert!(values[0] > 0 && rows.iter().all(|row| !row.is_alarm));
}

#[test]
fn unreadable_counters_and_unaccounted_pages_are_alarms() {
    let unreadable = of(&Snapshot::default());
    for label in ["vmstat", "+ in_flight", "+ unaccounted"] {
        assert_eq!(row(&unreadable, label).value, Value::Absent, "{label}");
    }
    assert!(row(&unreadable, "+ unaccounted").is_alarm);
    let balance = Balance {
        vmstat_readable: true,
        unaccounted: -3,
        ..Balance::default()
    };
    let rows = of(&Snapshot {
        balance,
        ..Snapshot::default()
    });
    assert!(row(&rows, "+ unaccounted").is_alarm);
    assert_eq!(row(&rows, "+ unaccounted").value, Value::Signed(-3));
}

#[test]
fn losses_are_listed_by_stage_and_a_stage_without_loss_says_so() {
    let quiet = snapshot(&fio_and_others().events);
    let stages = ["kernel", "attach", "source", "record", "model"];
    let rows = of(&quiet);
    assert_eq!(labels(&rows, SystemGroup::Loss), stages);
    assert!(
        stages
            .iter()
            .all(|stage| row(&rows, stage).explanation == "None lost at this stage.")
    );

    let mut lossy = quiet;
    lossy.loss[0].1 = 7;
    lossy.loss.push(("unnamed", 2));
    lossy.unapplied_events = 1;
    let rows = of(&lossy);
    let expected = [
        "kernel",
        Loss::ALL[0].name(),
        "attach",
        "source",
        "record",
        "model",
        "unapplied_events",
        "unknown",
        "unnamed",
    ];
    assert_eq!(labels(&rows, SystemGroup::Loss), expected);
    assert_eq!(row(&rows, Loss::ALL[0].name()).explanation, Loss::ALL[0].help());
    assert!(row(&rows, "kernel").is_alarm && !row(&rows, "attach").is_alarm);
}

#[test]
fn every_loss_of_a_full_list_is_one_row() {
    let mut snapshot = snapshot(&[]);
    snapshot.loss.iter_mut().for_each(|(_, count)| *count = 1);
    let rows = of(&snapshot);
    let parts = rows
        .iter()
        .filter(|row| row.group == SystemGroup::Loss && row.is_part);
    assert_eq!(parts.count(), Loss::COUNT);
}

#[test]
fn missing_hooks_and_details_that_were_given_up_are_said() {
    let mut snapshot = snapshot(&fio_and_others().events);
    Arc::make_mut(&mut snapshot.started).missing = vec![MissingHook {
        function: "unpin\x1b".into(),
        why: "EPERM".into(),
        lost: "releases".into(),
    }];
    snapshot.shed = vec![DetailShed {
        detail: Detail::Samples,
        ..DetailShed::default()
    }];
    let rows = of(&snapshot);
    assert!(row(&rows, "missing hooks").is_alarm);
    let missing = row(&rows, "unpin\\u{1b}");
    assert!(
        missing.is_part
            && missing
                .explanation
                .starts_with("Not seen: releases (unpin\\u{1b} could")
    );
    assert!(
        row(&rows, "budget")
            .explanation
            .contains("samples are further apart")
    );
    assert_eq!(row(&rows, "probes").value, Value::Count(3));
    assert_eq!(row(&rows, "mode").value, Value::Text("trace".into()));
}

#[test]
fn a_session_that_cannot_trace_says_why() {
    let rows = of(&Snapshot {
        started: Arc::new(Started {
            mode: "scan".into(),
            without_trace: "this kernel has no BTF.".into(),
            ..Started::default()
        }),
        ..Snapshot::default()
    });
    assert_eq!(row(&rows, "mode").explanation, "this kernel has no BTF.");
    assert!(row(&rows, "findings").explanation.contains("nothing is traced"));
}
