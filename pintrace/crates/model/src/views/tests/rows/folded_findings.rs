//! Folded findings.

use super::*;
use crate::finding::{Finding, PinSide, TriggerKind, TriggerSide};
use crate::views::folded_findings;
use pintrace_events::MappingChange;
use pintrace_events::units::Tid;
use pintrace_testing::event_builder::finding_fixtures;

/// A finding of a known kind, with another process, caller and time.
fn finding(pid: u32, caller: &str, times: (u64, u64)) -> Finding {
    let model = super::super::snapshot(&finding_fixtures().events);
    let any = model
        .findings
        .iter()
        .find(|finding| finding.pin.is_some())
        .unwrap();
    Finding {
        pid: Pid(pid),
        comm: "fio".to_owned(),
        count: 2,
        first: Nanos(times.0),
        last: Nanos(times.1),
        pin: Some(PinSide {
            caller: caller.into(),
            ..PinSide::default()
        }),
        ..any.clone()
    }
}

fn folded(findings: Vec<Finding>) -> Vec<folded_findings::FoldedFinding> {
    folded_findings::of(&Snapshot {
        findings,
        ..snapshot(Vec::new())
    })
}

#[test]
fn repeats_by_one_program_at_one_place_are_one_row() {
    let mut uncertain = finding(9, "io_pin_pages", (2, 50));
    uncertain.certain = false;
    let rows = folded(vec![
        finding(9, "io_pin_pages", (30, 90)),
        finding(7, "io_pin_pages", (40, 80)),
        uncertain,
        finding(7, "my_ioctl", (1, 70)),
    ]);
    assert_eq!(rows.len(), 2);
    let first = &rows[0];
    assert_eq!((first.count, first.first, first.last), (6, Nanos(2), Nanos(90)));
    assert_eq!(
        (&first.pids, &first.findings),
        (&vec![Pid(7), Pid(9)], &vec![0, 1, 2])
    );
    assert_eq!((first.place.as_str(), first.certain), ("io_pin_pages", true));
    assert_eq!(rows[1].findings, [3]);
}

/// Control: another program and another trigger are rows of their own.
#[test]
fn other_programs_and_triggers_are_rows_of_their_own() {
    let mut other_program = finding(7, "io_pin_pages", (1, 2));
    other_program.comm = "qemu".to_owned();
    let mut other_trigger = finding(7, "io_pin_pages", (1, 2));
    other_trigger.trigger = Some(TriggerSide {
        what: TriggerKind::Mapping(MappingChange::Brk),
        pid: Pid(7),
        tid: Tid(7),
        comm: String::new(),
        stack: Arc::default(),
    });
    let rows = folded(vec![
        finding(7, "io_pin_pages", (1, 2)),
        other_program,
        other_trigger,
    ]);
    assert_eq!(rows.len(), 3);
}

#[test]
fn a_finding_without_a_pin_is_at_the_place_of_its_trigger() {
    let mut found = finding(7, "", (1, 2));
    found.pin = None;
    found.trigger = Some(TriggerSide {
        what: TriggerKind::Write,
        pid: Pid(7),
        tid: Tid(7),
        comm: String::new(),
        stack: ["do_wp_page+0x12".to_owned(), "handle_mm_fault+0x1".to_owned()].into(),
    });
    assert_eq!(folded(vec![found])[0].place, "do_wp_page");
}

#[test]
fn the_default_order_is_worst_first_then_latest_first() {
    let model = super::super::snapshot(&finding_fixtures().events);
    let rows = folded_findings::of(&model);
    assert!(rows.len() > 3);
    let column = folded_finding::column(folded_finding::DEFAULT_SORT).unwrap();
    assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse((row.severity, row.last))));
    assert!(
        rows.is_sorted_by(|one, two| folded_finding::rank(column, one, two).is_le()
            || (one.severity, one.last) == (two.severity, two.last))
    );
    let last = folded_finding::column("last").unwrap();
    let mut by_time = rows.clone();
    by_time.sort_by(|one, two| folded_finding::rank(last, one, two));
    assert!(by_time.is_sorted_by_key(|row| std::cmp::Reverse(row.last)));
}
