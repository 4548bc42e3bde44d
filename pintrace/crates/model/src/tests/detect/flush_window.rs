//! Tests of flush windows.

use pintrace_events::units::{Nanos, Pid};
use pintrace_events::{Body, Cause, FlushCheck, WindowsSampled};
use pintrace_testing::event_builder::{EventBuilder, SECOND};

use crate::field::metric::families;
use crate::finding::{Finding, FindingKind, Severity, TriggerKind};
use crate::limits;
use crate::snapshot::Snapshot;
use crate::tests::snapshot;

fn sampled() -> WindowsSampled {
    WindowsSampled {
        pid: Pid(7),
        comm: "monitor".into(),
        cause: Cause::UffdWp,
        windows: 100,
        pages: 400,
        longest_ns: 900,
        // 90 below 16 ns, 9 below 512 ns, 1 below 1024 ns.
        durations: vec![0, 0, 0, 0, 90, 0, 0, 0, 0, 9, 1],
        first: Nanos(2 * SECOND),
        last: Nanos(3 * SECOND),
        address: 0x5000,
        ..WindowsSampled::default()
    }
}

fn emitted(samples: &[WindowsSampled]) -> Snapshot {
    let mut builder = EventBuilder::begin();
    for sample in samples {
        builder.emit(Body::WindowsSampled(Box::new(sample.clone())));
    }
    snapshot(&builder)
}

#[test]
fn percentiles_are_upper_bounds_of_buckets_and_never_above_the_maximum() {
    let windows = emitted(&[sampled()]).windows;
    assert_eq!(windows.len(), 1);
    let all = &windows[0];
    assert_eq!((all.p50, all.p99, all.max), (Nanos(16), Nanos(512), Nanos(900)));
    assert_eq!((all.count, all.pages, all.comm.as_str()), (100, 400, "monitor"));
    let short = WindowsSampled {
        longest_ns: 9,
        ..sampled()
    };
    assert_eq!(emitted(&[short]).windows[0].p50, Nanos(9));
    let forged = WindowsSampled {
        durations: vec![u64::MAX; 70],
        longest_ns: u64::MAX,
        ..sampled()
    };
    assert!(emitted(&[forged]).windows[0].p99 > Nanos(1 << 62));
    let empty = WindowsSampled {
        durations: Vec::new(),
        ..sampled()
    };
    assert_eq!(emitted(&[empty]).windows[0].p99, Nanos(900));
}

#[test]
fn windows_without_faults_and_pins_are_no_finding() {
    assert!(emitted(&[sampled()]).findings.is_empty());
}

#[test]
fn faults_and_pins_in_windows_are_found_and_follow_the_samples() {
    let earlier = WindowsSampled {
        faults: 3,
        ..sampled()
    };
    let later = WindowsSampled {
        faults: 5,
        pins: 8,
        last: Nanos(4 * SECOND),
        ..sampled()
    };
    let snapshot = emitted(&[earlier, later]);
    let by = |kind| -> &Finding {
        let mut finding = snapshot.findings.iter().filter(|finding| finding.kind == kind);
        let first = finding.next().unwrap();
        assert!(finding.next().is_none());
        first
    };
    let faults = by(FindingKind::FaultInFlushWindow);
    assert_eq!(
        (faults.severity, faults.count, faults.address),
        (Severity::Note, 5, 0x5000)
    );
    assert_eq!(
        (faults.first, faults.last),
        (Nanos(2 * SECOND), Nanos(4 * SECOND))
    );
    assert_eq!(
        faults.trigger.as_ref().unwrap().what,
        TriggerKind::Protected(Cause::UffdWp)
    );
    let pins = by(FindingKind::PinInFlushWindow);
    assert_eq!(
        (pins.count, pins.pages, pins.address),
        (8, 8, 0),
        "the address of the sample is the address of a fault"
    );
    assert_eq!(snapshot.windows.len(), 1);
}

#[test]
fn windows_of_a_reused_pid_are_counted_apart() {
    let again = WindowsSampled {
        windows: 1,
        first: Nanos(5 * SECOND),
        last: Nanos(5 * SECOND),
        ..sampled()
    };
    let counts: Vec<_> = emitted(&[sampled(), again])
        .windows
        .iter()
        .map(|all| all.count)
        .collect();
    assert_eq!(counts, [100, 1]);
}

/// A process whose only window was `second` seconds after the start.
fn one_window(pid: u32, second: u64) -> WindowsSampled {
    WindowsSampled {
        pid: Pid(pid),
        windows: 1,
        pages: 4,
        first: Nanos(second * SECOND),
        last: Nanos(second * SECOND + 900),
        ..sampled()
    }
}

/// More processes, one a second from second 10 on, than the table has room for. Their pids begin at 1000.
fn more_than_the_table_has() -> impl Iterator<Item = WindowsSampled> {
    let numbers = (0..).take(limits::WINDOWS + 1);
    numbers.map(|number: u32| one_window(1000 + number, 10 + u64::from(number)))
}

/// The value of a metric for the cause of these windows.
fn of_cause(snapshot: &Snapshot, metric: &str) -> u64 {
    let families = families(snapshot);
    let family = families.iter().find(|family| family.metric.name == metric);
    let mut samples = family.unwrap().samples.iter();
    let sample = samples.find(|sample| sample.labels[0].1 == "uffd_wp");
    sample.unwrap().value.to_string().parse().unwrap()
}

#[test]
fn flush_windows_of_a_new_process_are_found_after_many_processes_have_ended() {
    let new = WindowsSampled {
        faults: 3,
        ..one_window(7, 20_000)
    };
    let samples: Vec<_> = more_than_the_table_has().chain([new]).collect();
    let snapshot = emitted(&samples);
    let found = snapshot.findings.iter();
    let found: Vec<_> = found
        .map(|finding| (finding.kind, finding.pid, finding.count))
        .collect();
    assert_eq!(found, [(FindingKind::FaultInFlushWindow, Pid(7), 3)]);
    assert_eq!(
        (snapshot.unapplied_events, snapshot.windows.len()),
        (0, limits::WINDOWS)
    );
    assert!(
        !snapshot.windows.iter().any(|all| all.pid == Pid(1000)),
        "the oldest gives way"
    );
}

#[test]
fn sums_of_flush_windows_by_cause_keep_those_of_entries_that_gave_way() {
    let samples: Vec<_> = more_than_the_table_has().collect();
    let snapshot = emitted(&samples);
    let windows = samples.len() as u64;
    assert_eq!(of_cause(&snapshot, "pintrace_flush_windows_total"), windows);
    assert_eq!(
        of_cause(&snapshot, "pintrace_flush_window_pages_total"),
        4 * windows
    );
}

#[test]
fn an_entry_that_gave_way_and_has_windows_again_is_not_counted_twice() {
    let old = WindowsSampled {
        faults: 3,
        ..sampled()
    };
    let again = |windows, faults, second| WindowsSampled {
        windows,
        faults,
        last: Nanos(second * SECOND),
        ..sampled()
    };
    let mut samples: Vec<_> = [old].into_iter().chain(more_than_the_table_has()).collect();
    let before = emitted(&samples);
    assert!(!before.windows.iter().any(|all| all.pid == Pid(7)));
    // The sample after the return gives the base; the windows since then count.
    samples.extend([again(101, 3, 20_000), again(104, 5, 20_001)]);
    let after = emitted(&samples);
    let more = |metric| of_cause(&after, metric) - of_cause(&before, metric);
    assert_eq!(more("pintrace_flush_windows_total"), 3);
    assert_eq!(more("pintrace_flush_window_faults_total"), 2);
    let found = &after.findings[0];
    assert_eq!((after.findings.len(), found.pid, found.count), (1, Pid(7), 5));
    let counts = after.finding_counts.values().sum::<u64>();
    assert_eq!(counts, 5);
}

#[test]
fn a_reused_pid_is_found_apart_although_the_entry_of_its_predecessor_gave_way() {
    let old = WindowsSampled {
        faults: 3,
        ..sampled()
    };
    let new = WindowsSampled {
        faults: 2,
        ..one_window(7, 20_000)
    };
    let samples: Vec<_> = [old]
        .into_iter()
        .chain(more_than_the_table_has())
        .chain([new])
        .collect();
    let found = emitted(&samples).findings;
    let counts: Vec<_> = found.iter().map(|finding| finding.count).collect();
    assert_eq!(counts, [2, 3]);
}

#[test]
fn the_latest_flush_check_counts() {
    let mut builder = EventBuilder::begin();
    for agreed in [1, 2] {
        builder.emit(Body::FlushCheckSampled(FlushCheck {
            agreed,
            ..FlushCheck::default()
        }));
    }
    assert_eq!(snapshot(&builder).flush_check.agreed, 2);
}
