//! Claims about pending-flush windows, and about short-term pins that are held for long.

use crate::finding::{Finding, FindingKind, Severity, TriggerKind};
use pintrace_events::units::{Nanos, Pid};
use pintrace_events::{Body, Cause, FlushCheck, WindowsSampled};
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES, SECOND};

use super::snapshot;

fn sampled() -> WindowsSampled {
    WindowsSampled {
        pid: Pid(7),
        comm: "monitor".into(),
        cause: Cause::UffdWp,
        windows: 100,
        pages: 400,
        longest_ns: 900,
        // 90 below 16 ns, 9 below 512, one below 1024.
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
        builder.emit(Body::WindowsSampled(sample.clone()));
    }
    snapshot(&builder)
}

#[test]
fn durations_are_the_upper_bounds_of_their_buckets_and_never_above_the_longest() {
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
fn windows_in_which_nothing_happened_are_no_finding() {
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
        let mut found = snapshot.findings.iter().filter(|found| found.kind == kind);
        let first = found.next().unwrap();
        assert!(found.next().is_none());
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
        "the address is a fault's"
    );
    assert_eq!(snapshot.windows.len(), 1);
}

#[test]
fn a_pid_that_is_used_again_has_windows_of_its_own() {
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
fn the_latest_check_against_the_kernels_count_stands() {
    let mut builder = EventBuilder::begin();
    for agreed in [1, 2] {
        builder.emit(Body::FlushCheckSampled(FlushCheck {
            agreed,
            ..FlushCheck::default()
        }));
    }
    assert_eq!(snapshot(&builder).flush_check.agreed, 2);
}

/// One tick a second: pages pinned and released so far.
fn short_term(seconds: &[(u64, u64)]) -> EventBuilder {
    let mut builder = EventBuilder::begin();
    builder.account(1, 7, 7, IO_PIN_PAGES, false).process(7, "app");
    let mut before = None;
    for totals in seconds {
        if before != Some(totals) {
            builder.totals(1, totals.0, totals.1);
        }
        before = Some(totals);
        builder.tick().wait(SECOND);
    }
    builder
}

#[test]
fn short_term_pins_held_for_ten_seconds_are_undeclared_long_term_ones() {
    assert!(snapshot(&short_term(&[(8, 0); 10])).findings.is_empty());
    let snapshot = snapshot(&short_term(&[(8, 0); 12]));
    let [found] = &snapshot.findings[..] else {
        panic!("{:#?}", snapshot.findings);
    };
    assert_eq!(
        (found.kind, found.severity),
        (FindingKind::UndeclaredLongterm, Severity::Hazard)
    );
    assert_eq!((found.pages, found.count, found.comm.as_str()), (8, 1, "app"));
    assert_eq!(
        (found.first, found.last),
        (Nanos(11 * SECOND), Nanos(12 * SECOND))
    );
    let pin = found.pin.as_ref().unwrap();
    assert_eq!((pin.longterm, pin.age, pin.pages), (false, Nanos(11 * SECOND), 8));
}

#[test]
fn what_was_released_since_may_have_been_the_old_ones() {
    // Eight are held all the time, and none for long.
    let busy: Vec<_> = (0..40).map(|second| (8 + second * 8, second * 8)).collect();
    assert!(snapshot(&short_term(&busy)).findings.is_empty());
    // Of 1000, at most 20 have been released since.
    let leaky: Vec<_> = (0..30).map(|second| (1000 + second, second)).collect();
    let snapshot = snapshot(&short_term(&leaky));
    assert_eq!(snapshot.findings[0].pages, 990);
}

#[test]
fn an_undeclared_one_keeps_its_last_figures_when_it_is_released() {
    let mut totals = vec![(8, 0); 12];
    totals.extend([(8, 8); 20]);
    let snapshot = snapshot(&short_term(&totals));
    assert_eq!(
        (snapshot.findings[0].pages, snapshot.findings[0].last),
        (8, Nanos(12 * SECOND))
    );
}

#[test]
fn long_term_pins_and_those_found_in_memory_are_declared_or_not_known() {
    for (longterm, from_scan) in [(true, false), (false, true)] {
        let mut builder = short_term(&[(8, 0); 20]);
        for event in &mut builder.events {
            if let Body::AccountOpened(opened) = &mut event.body {
                (opened.longterm, opened.from_scan) = (longterm, from_scan);
            }
        }
        assert!(snapshot(&builder).findings.is_empty());
    }
}

#[test]
fn frequent_samples_reach_back_far_enough() {
    let mut builder = EventBuilder::begin();
    builder.account(1, 7, 7, IO_PIN_PAGES, false);
    for step in 0..200_u64 {
        builder.totals(1, 1000 + step, step).tick().wait(SECOND / 10);
    }
    let found = &snapshot(&builder).findings[0];
    assert!(found.pages > 880, "{}", found.pages);
}
