//! Tests of flush windows.

use pintrace_events::units::{Nanos, Pid};
use pintrace_events::{Body, Cause, FlushCheck, WindowsSampled};
use pintrace_testing::event_builder::{EventBuilder, SECOND};

use crate::finding::{Finding, FindingKind, Severity, TriggerKind};
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

fn emitted(samples: &[WindowsSampled]) -> crate::snapshot::Snapshot {
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
