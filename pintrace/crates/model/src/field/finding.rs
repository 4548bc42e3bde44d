//! Metrics of findings and of pending-flush windows. Windows are summed by cause: no label is a pid.

use std::collections::BTreeMap;

use crate::finding::WindowTotals;
use crate::snapshot::Snapshot;
use pintrace_events::Cause;

use super::Metric;
use super::metric::{Family, Sample, as_float};

/// Findings by kind and severity.
pub const FINDINGS: Metric = Metric::counter("pintrace_findings_total");
/// Findings without room.
pub const DROPPED: Metric = Metric::counter("pintrace_findings_dropped_total");
/// Faults by what our windows and the kernel's count say of them.
pub const FLUSH_CHECK: Metric = Metric::counter("pintrace_flush_check_faults_total");

/// A metric, its help, and where its figure is.
type WindowFigure = (Metric, &'static str, fn(&WindowTotals) -> u64);

/// Figures of windows, by cause.
const WINDOWS: &[WindowFigure] = &[
    (
        Metric::counter("pintrace_flush_windows_total"),
        "Times that pages were write-protected and flushed after, by cause.",
        |all| all.count,
    ),
    (
        Metric::counter("pintrace_flush_window_pages_total"),
        "Pages write-protected in such windows, by cause.",
        |all| all.pages,
    ),
    (
        Metric::counter("pintrace_flush_window_faults_total"),
        "Write faults of other threads in open windows, by cause.",
        |all| all.faults,
    ),
    (
        Metric::counter("pintrace_flush_window_cows_total"),
        "Of these faults, those that copied the page, by cause.",
        |all| all.cows,
    ),
    (
        Metric::counter("pintrace_flush_window_pins_total"),
        "Pages pinned by other threads in open windows, by cause.",
        |all| all.pins,
    ),
];
/// The longest window, by cause.
const LONGEST: Metric = Metric::gauge("pintrace_flush_window_longest_seconds");

/// All of them.
pub(super) fn families(snapshot: &Snapshot) -> Vec<Family> {
    let mut families = vec![findings(snapshot), dropped(snapshot)];
    families.extend(WINDOWS.iter().map(|(metric, help, value)| Family {
        metric: *metric,
        help,
        samples: by_cause(snapshot, |sum, all| sum.saturating_add(value(all)), as_float),
    }));
    families.push(Family {
        metric: LONGEST,
        help: "The longest time that a write protection waited for its flush, by cause.",
        samples: by_cause(
            snapshot,
            |longest, all| longest.max(all.max.0),
            |nanos| pintrace_events::units::Nanos(nanos).as_secs(),
        ),
    });
    families.push(flush_check(snapshot));
    families
}

fn findings(snapshot: &Snapshot) -> Family {
    let samples = snapshot
        .finding_counts
        .iter()
        .map(|((kind, severity), count)| Sample {
            labels: vec![("kind", kind.to_string()), ("severity", severity.to_string())],
            value: as_float(*count),
        });
    Family {
        metric: FINDINGS,
        help: "What was found since the start, repeats included, by kind and severity.",
        samples: samples.collect(),
    }
}

fn dropped(snapshot: &Snapshot) -> Family {
    Family {
        metric: DROPPED,
        help: "Findings that gave way to a worse one or found no room.",
        samples: vec![Sample {
            labels: Vec::new(),
            value: as_float(snapshot.findings_dropped),
        }],
    }
}

/// Every cause stands from the start, so that a rate can be taken from its first window on.
fn by_cause(
    snapshot: &Snapshot,
    add: impl Fn(u64, &WindowTotals) -> u64,
    value: impl Fn(u64) -> f64,
) -> Vec<Sample> {
    let mut sums: BTreeMap<Cause, u64> = Cause::ALL.iter().map(|cause| (*cause, 0)).collect();
    for all in &snapshot.windows {
        let sum = sums.entry(all.cause).or_default();
        *sum = add(*sum, all);
    }
    sums.into_iter()
        .map(|(cause, sum)| Sample {
            labels: vec![("cause", cause.as_str().to_owned())],
            value: value(sum),
        })
        .collect()
}

fn flush_check(snapshot: &Snapshot) -> Family {
    let check = snapshot.flush_check;
    let samples = [
        ("agreed", check.agreed),
        ("covered_only", check.covered_only),
        ("pending_only", check.pending_only),
    ];
    Family {
        metric: FLUSH_CHECK,
        help: "Write faults by whether an open window covered them and whether the kernel's own count had a flush pending.",
        samples: samples
            .map(|(assessment, count)| Sample {
                labels: vec![("result", assessment.to_owned())],
                value: as_float(count),
            })
            .into(),
    }
}
