//! The metrics of pin calls.

use std::collections::BTreeMap;

use pintrace_common::pin_calls::BUCKETS;
use pintrace_events::units::Nanos;

use crate::pin_calls::totals::bound;
use crate::pin_calls::{CallTotals, InFlight, errno};
use crate::snapshot::Snapshot;
use crate::subsystem::Subsystem;

use super::family::{Family, Histogram, Sample, as_float};
use super::{Metric, MetricKind};

const DURATION: Metric = Metric {
    name: "pintrace_pin_call_duration_seconds",
    kind: MetricKind::Histogram,
    labels: &["subsystem"],
};
const IN_PROGRESS: Metric = Metric::gauge("pintrace_pin_calls_in_progress").by(&["subsystem"]);
const OLDEST: Metric = Metric::gauge("pintrace_pin_oldest_call_age_seconds").by(&["subsystem"]);
const PINNED: Metric = Metric::counter("pintrace_pin_call_pinned_bytes_total").by(&["subsystem"]);
const RETRIED: Metric = Metric::counter("pintrace_pin_retried_calls_total").by(&["subsystem"]);
const MOVED: Metric = Metric::counter("pintrace_pin_moved_bytes_total").by(&["subsystem"]);
const FAILURES: Metric = Metric::counter("pintrace_pin_failures_total").by(&["subsystem", "errno"]);
const REFUSED: Metric = Metric::counter("pintrace_registration_failures_total").by(&["call", "errno"]);
const AGE: Metric = Metric::gauge("pintrace_pin_registration_age_seconds").by(LABELS);
const SPEED: Metric = Metric::gauge("pintrace_pin_registration_bytes_per_second").by(LABELS);

/// The labels of the series of one registration.
const LABELS: &[&str] = &["subsystem", "pid", "tid", "comm", "descriptor"];

/// Most registrations with a series of their own: those that began first.
const MOST_REGISTRATIONS: usize = 8;
/// Age from which on a call or a registration has a series of its own. The labels name the process, so short ones would make
/// many series.
const LONG: Nanos = Nanos(5_000_000_000);
/// Least size of a registration of many short calls that has a series of its own. A thread that registers a small buffer now
/// and then makes one registration that never ends.
const LARGE_PAGES: u64 = 1 << 18;

/// Returns the age of a call that takes long, or else of a large registration that takes long; `None` for others.
fn long(call: &InFlight, now: Nanos) -> Option<Nanos> {
    let registration = now.since(call.registration_began());
    let of_call = now.since(call.began);
    if call.registration_wanted() >= LARGE_PAGES && registration >= LONG {
        Some(registration)
    } else {
        (of_call >= LONG).then_some(of_call)
    }
}

/// Returns the families of pin calls.
pub(super) fn families(snapshot: &Snapshot) -> Vec<Family> {
    let mut families = vec![
        durations(snapshot),
        in_flight(
            snapshot,
            IN_PROGRESS,
            "Long-term pin calls in flight, by subsystem.",
            |calls| as_float(calls.len() as u64),
        ),
        in_flight(
            snapshot,
            OLDEST,
            "Age of the longest long-term pin call in flight, by subsystem; 0 without a call.",
            |calls| {
                let ages = calls.iter().map(|call| snapshot.time.since(call.began));
                ages.max().unwrap_or_default().as_secs()
            },
        ),
        totals(
            snapshot,
            PINNED,
            "Memory that long-term pin calls have pinned since the start, by subsystem.",
            |totals| totals.pinned.saturating_mul(4096),
        ),
        totals(
            snapshot,
            RETRIED,
            "Long-term pin calls that dropped their pins and pinned again, to move pages, by subsystem.",
            |totals| totals.retried,
        ),
        totals(
            snapshot,
            MOVED,
            "Memory that the kernel moved out of CMA or ZONE_MOVABLE before it pinned the memory, by subsystem.",
            |totals| totals.moved.saturating_mul(4096),
        ),
        failures(snapshot),
        refused(snapshot),
    ];
    families.extend(registrations(snapshot));
    families
}

fn durations(snapshot: &Snapshot) -> Family {
    let histograms = snapshot.pin_call_totals.iter().map(|(subsystem, totals)| {
        let bounds = (0..).map(bound).map(|bound| Nanos(bound).as_secs());
        let mut count = 0u64;
        let buckets = bounds
            .zip(&totals.durations[..BUCKETS - 1])
            .map(|(bound, calls)| {
                count = count.saturating_add(*calls);
                (bound, count)
            });
        Histogram {
            labels: by(*subsystem),
            buckets: buckets.collect(),
            count: totals.calls() - totals.untimed,
            sum: totals.total.as_secs(),
        }
    });
    Family {
        metric: DURATION,
        help: "Durations of the long-term pin calls that have returned, by subsystem.",
        samples: Vec::new(),
        histograms: histograms.collect(),
    }
}

/// Returns a family by subsystem. A subsystem without calls has a sample of 0, so that an alert can resolve.
fn in_flight(
    snapshot: &Snapshot,
    metric: Metric,
    help: &'static str,
    value: impl Fn(&[&InFlight]) -> f64,
) -> Family {
    let mut calls: BTreeMap<Subsystem, Vec<&InFlight>> = Subsystem::ALL
        .iter()
        .map(|&subsystem| (subsystem, Vec::new()))
        .collect();
    for call in &snapshot.calls_in_flight {
        calls.entry(call.subsystem).or_default().push(call);
    }
    let samples = calls.into_iter().map(|(subsystem, calls)| Sample {
        labels: by(subsystem),
        value: value(&calls),
    });
    Family::of(metric, help, samples.collect())
}

/// Returns a family by subsystem, with a sample of 0 for a subsystem without calls.
fn totals(
    snapshot: &Snapshot,
    metric: Metric,
    help: &'static str,
    value: impl Fn(&CallTotals) -> u64,
) -> Family {
    let samples = Subsystem::ALL.iter().map(|subsystem| Sample {
        labels: by(*subsystem),
        value: as_float(snapshot.pin_call_totals.get(subsystem).map_or(0, &value)),
    });
    Family::of(metric, help, samples.collect())
}

fn failures(snapshot: &Snapshot) -> Family {
    let samples = snapshot.pin_call_totals.iter().flat_map(|(subsystem, totals)| {
        totals.failures.iter().map(|(number, count)| {
            let mut labels = by(*subsystem);
            labels.push(("errno", errno::name(*number).into_owned()));
            Sample {
                labels,
                value: as_float(*count),
            }
        })
    });
    Family::of(
        FAILURES,
        "Pin calls that failed, by subsystem and error; `short` for long-term calls that pinned fewer pages than asked for.",
        samples.collect(),
    )
}

fn refused(snapshot: &Snapshot) -> Family {
    let samples = snapshot
        .registration_failures
        .iter()
        .map(|((call, errno), count)| Sample {
            labels: vec![
                ("call", call.clone().into_owned()),
                ("errno", errno::name(*errno).into_owned()),
            ],
            value: as_float(*count),
        });
    Family::of(
        REFUSED,
        "Registrations of memory that the kernel refused, by call and error.",
        samples.collect(),
    )
}

fn registrations(snapshot: &Snapshot) -> [Family; 2] {
    let long = snapshot
        .calls_in_flight
        .iter()
        .filter_map(|call| Some((call, long(call, snapshot.time)?)));
    let long: Vec<_> = long.take(MOST_REGISTRATIONS).collect();
    let labels = |call: &InFlight| {
        let descriptor = call.descriptor.map(|descriptor| descriptor.to_string());
        vec![
            ("subsystem", call.subsystem.to_string()),
            ("pid", call.pid.0.to_string()),
            ("tid", call.tid.0.to_string()),
            ("comm", call.comm.clone()),
            ("descriptor", descriptor.unwrap_or_default()),
        ]
    };
    let sample = |call: &InFlight, value| Sample {
        labels: labels(call),
        value,
    };
    let ages = long.iter().map(|(call, age)| sample(call, age.as_secs()));
    let speeds = long
        .iter()
        .filter_map(|(call, _)| Some(sample(call, as_float(call.bytes_per_second()?))));
    [
        Family::of(
            AGE,
            "Age of the calls in flight that take longer than 5 s, and of the registrations of 1 GiB and more, by process: the 8 that began first.",
            ages.collect(),
        ),
        Family::of(
            SPEED,
            "Bytes that these registrations have pinned a second; absent if several calls are in flight.",
            speeds.collect(),
        ),
    ]
}

fn by(subsystem: Subsystem) -> Vec<(&'static str, String)> {
    vec![("subsystem", subsystem.to_string())]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pintrace_common::pin_calls::bucket_of;

    use super::*;

    #[test]
    fn buckets_are_cumulative_and_end_with_the_count() {
        let mut totals = CallTotals {
            total: Nanos(4_000_000_000),
            untimed: 5,
            ..CallTotals::default()
        };
        totals.durations[bucket_of(500)] = 2;
        totals.durations[bucket_of(1500)] = 1;
        totals.durations[BUCKETS - 1] = 1;
        let snapshot = Snapshot {
            pin_call_totals: Arc::new(BTreeMap::from([(Subsystem::IoUring, totals)])),
            ..Snapshot::default()
        };
        let family = durations(&snapshot);
        let histogram = &family.histograms[0];
        assert_eq!(histogram.buckets[0], (1.024e-6, 2));
        assert_eq!(histogram.buckets[1], (2.048e-6, 3));
        assert_eq!(histogram.buckets.len(), BUCKETS - 1);
        assert_eq!(histogram.buckets.last().map(|bucket| bucket.1), Some(3));
        assert_eq!((histogram.count, histogram.sum), (4, 4.0));
    }

    #[test]
    fn only_long_registrations_name_their_process() {
        let call = |pid, began| InFlight {
            pid: pintrace_events::units::Pid(pid),
            began: Nanos(began),
            ..InFlight::default()
        };
        let snapshot = Snapshot {
            time: Nanos(LONG.0 + 10),
            calls_in_flight: vec![call(1, 10), call(2, 11)],
            ..Snapshot::default()
        };
        let [ages, speeds] = registrations(&snapshot);
        assert_eq!(ages.samples.len(), 1);
        let labels = &ages.samples[0].labels;
        assert_eq!(labels[1], ("pid", "1".to_owned()));
        let names: Vec<_> = labels.iter().map(|(name, _)| *name).collect();
        assert_eq!((names.as_slice(), AGE.labels), (SPEED.labels, LABELS));
        assert!((ages.samples[0].value - 5.0).abs() < f64::EPSILON);
        assert!(speeds.samples.is_empty());
    }

    #[test]
    fn a_failure_has_the_subsystem_and_the_name_of_the_error() {
        let totals = CallTotals {
            failures: BTreeMap::from([(12, 3)]),
            ..CallTotals::default()
        };
        let snapshot = Snapshot {
            pin_call_totals: Arc::new(BTreeMap::from([(Subsystem::IoUring, totals)])),
            ..Snapshot::default()
        };
        let family = failures(&snapshot);
        let values = ["io_uring", "ENOMEM"].map(str::to_owned);
        let expected: Vec<_> = FAILURES.labels.iter().copied().zip(values).collect();
        assert_eq!(family.samples[0].labels, expected);
    }
}
