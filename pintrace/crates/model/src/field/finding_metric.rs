//! Metrics of findings and of flush windows. Windows are summed by cause, so that no label is a pid.

use crate::finding::WindowSums;
use crate::snapshot::Snapshot;
use pintrace_events::Cause;

use super::Metric;
use super::family::{Family, Sample, as_float};

/// Findings by kind and severity.
pub const FINDINGS: Metric = Metric::counter("pintrace_findings_total").by(&["kind", "severity"]);
/// Findings that were replaced or found no room.
pub const DROPPED: Metric = Metric::counter("pintrace_findings_dropped_total");
/// Write faults by two criteria: an open flush window covers the fault, and `mm_tlb_flush_pending` is true.
pub const FLUSH_CHECK: Metric = Metric::counter("pintrace_flush_check_faults_total").by(&["result"]);

/// A metric with its help and its value.
type WindowFigure = (Metric, &'static str, fn(&WindowSums) -> u64);

/// Metrics of windows, by cause.
const WINDOWS: &[WindowFigure] = &[
    (
        Metric::counter("pintrace_flush_windows_total").by(&["cause"]),
        "Flush windows (from the write protection of pages to the end of the TLB flush), by cause.",
        |totals| totals.count,
    ),
    (
        Metric::counter("pintrace_flush_window_pages_total").by(&["cause"]),
        "Pages write-protected in flush windows, by cause.",
        |totals| totals.pages,
    ),
    (
        Metric::counter("pintrace_flush_window_faults_total").by(&["cause"]),
        "Write faults of other threads in open flush windows, by cause.",
        |totals| totals.faults,
    ),
    (
        Metric::counter("pintrace_flush_window_cows_total").by(&["cause"]),
        "Write faults of other threads in open flush windows that copied the page, by cause.",
        |totals| totals.cows,
    ),
    (
        Metric::counter("pintrace_flush_window_pins_total").by(&["cause"]),
        "Pages pinned by other threads in open flush windows, by cause.",
        |totals| totals.pins,
    ),
];
/// The longest flush window, by cause.
const LONGEST: Metric = Metric::gauge("pintrace_flush_window_longest_seconds").by(&["cause"]);

/// Returns every family of this module.
pub(super) fn families(snapshot: &Snapshot) -> Vec<Family> {
    let mut families = vec![findings(snapshot), dropped(snapshot)];
    families.extend(WINDOWS.iter().map(|(metric, help, value)| Family {
        metric: *metric,
        help,
        samples: by_cause(snapshot, |sums| as_float(value(sums))),
        histograms: Vec::new(),
    }));
    families.push(Family {
        metric: LONGEST,
        help: "Longest flush window, by cause.",
        samples: by_cause(snapshot, |sums| sums.max.as_secs()),
        histograms: Vec::new(),
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
    Family::of(
        FINDINGS,
        "Findings since the start, repeats included, by kind and severity.",
        samples.collect(),
    )
}

fn dropped(snapshot: &Snapshot) -> Family {
    Family {
        metric: DROPPED,
        help: "Findings that were replaced by a worse one or found no room.",
        samples: vec![Sample {
            labels: Vec::new(),
            value: as_float(snapshot.findings_dropped),
        }],
        histograms: Vec::new(),
    }
}

/// Returns a sample of each cause. A cause without windows has a sample of 0, so that a rate exists from the first window on.
fn by_cause(snapshot: &Snapshot, value: impl Fn(&WindowSums) -> f64) -> Vec<Sample> {
    let none = WindowSums::default();
    let causes = Cause::ALL.iter();
    causes
        .map(|cause| Sample {
            labels: vec![("cause", cause.as_str().to_owned())],
            value: value(snapshot.windows_by_cause.get(cause).unwrap_or(&none)),
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
        help: "Write faults by what says that a flush is pending: the hooks, the kernel's count, or both.",
        samples: samples
            .map(|(result, count)| Sample {
                labels: vec![("result", result.to_owned())],
                value: as_float(count),
            })
            .into(),
        histograms: Vec::new(),
    }
}
