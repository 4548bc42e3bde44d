//! The metrics: every family with its samples. The number of series is bounded. No label is a pid, but for the few
//! registrations that take long.

use std::collections::BTreeMap;

use crate::loss::stage;
use crate::snapshot::{Snapshot, SubsystemTotals};
use crate::subsystem::Subsystem;
use pintrace_events::units::Nanos;

use super::family::{as_float, unlabelled};
use super::{Metric, finding_metric, header, own_cost_metric, pin_call_metric, subsystem};

pub use super::family::{Family, Histogram, Sample};

/// Losses by stage and reason.
pub const LOST: Metric = Metric::counter("pintrace_lost_total").by(&["stage", "reason"]);
/// Attached programs by purpose and method.
pub const PROBES: Metric = Metric::gauge("pintrace_probes").by(&["purpose", "method"]);
/// Always 1: the version of pintrace.
pub const BUILD_INFO: Metric = Metric::gauge("pintrace_build_info").by(&["version"]);
/// Always 1: the kernel, the machine and the mode.
pub const KERNEL_INFO: Metric = Metric::gauge("pintrace_kernel_info").by(&["release", "machine", "mode"]);
/// Wall-clock time at which counting began.
pub const START: Metric = Metric::gauge("pintrace_start_timestamp_seconds");
/// Wall-clock time of the snapshot; constant while sampling is stopped.
pub const LAST_SAMPLE: Metric = Metric::gauge("pintrace_last_sample_timestamp_seconds");

/// Returns every family of a snapshot, in a fixed order.
#[must_use]
pub fn families(snapshot: &Snapshot) -> Vec<Family> {
    let mut families = by_subsystem(snapshot);
    families.extend(of_host(snapshot));
    families.extend(pin_call_metric::families(snapshot));
    families.extend(finding_metric::families(snapshot));
    families.push(lost(snapshot));
    families.push(probes(snapshot));
    families.extend(timestamps(snapshot));
    families.extend(info(snapshot));
    families.extend(own_cost_metric::families(snapshot));
    families
}

/// Returns the families by subsystem. A subsystem without pins has a sample of 0, so that a rate exists from the first
/// pin on.
fn by_subsystem(snapshot: &Snapshot) -> Vec<Family> {
    let totals: Vec<SubsystemTotals> = Subsystem::ALL
        .iter()
        .map(|&which| snapshot.subsystem(which))
        .collect();
    let family = |column: &subsystem::SubsystemColumn| {
        let samples = totals.iter().filter_map(|totals| {
            let labels = vec![("subsystem", totals.subsystem.to_string())];
            Some(Sample {
                labels,
                value: (column.value)(totals).number()?,
            })
        });
        let samples = samples.collect();
        Some(Family::of(column.metric?, column.help, samples))
    };
    subsystem::COLUMNS.iter().filter_map(family).collect()
}

fn of_host(snapshot: &Snapshot) -> impl Iterator<Item = Family> + '_ {
    header::FIGURES.iter().filter_map(|figure| {
        let value = (figure.value)(snapshot).number();
        let samples = value.into_iter().map(unlabelled).collect();
        Some(Family::of(figure.metric?, figure.help, samples))
    })
}

fn lost(snapshot: &Snapshot) -> Family {
    let unapplied_events = [("unapplied_events", snapshot.unapplied_events)];
    let all = snapshot.loss.iter().chain(&unapplied_events);
    let samples = all.map(|&(name, count)| {
        let labels = vec![("stage", stage(name).to_owned()), ("reason", name.to_owned())];
        Sample {
            labels,
            value: as_float(count),
        }
    });
    Family::of(
        LOST,
        "Events, pages or names that were lost, by stage and reason.",
        samples.collect(),
    )
}

fn probes(snapshot: &Snapshot) -> Family {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for probe in &snapshot.started.probes {
        *counts.entry((&probe.purpose, &probe.method)).or_default() += 1;
    }
    let samples = counts.into_iter().map(|((purpose, method), count)| Sample {
        labels: vec![("purpose", purpose.to_owned()), ("method", method.to_owned())],
        value: as_float(count),
    });
    Family::of(
        PROBES,
        "Attached programs, by purpose and method.",
        samples.collect(),
    )
}

/// Returns the times of the stream; without samples if the stream lacks a wall-clock start.
fn timestamps(snapshot: &Snapshot) -> [Family; 2] {
    let start = Nanos(snapshot.started.wall_ns);
    let known = |moment: Nanos| (start.0 > 0).then(|| unlabelled(moment.as_secs())).into_iter();
    [
        Family::of(
            START,
            "Time at which counting began, in seconds since 1970.",
            known(start).collect(),
        ),
        Family::of(
            LAST_SAMPLE,
            "Time of the last sample, in seconds since 1970.",
            known(taken(snapshot)).collect(),
        ),
    ]
}

/// Returns the wall-clock time of a snapshot.
fn taken(snapshot: &Snapshot) -> Nanos {
    match snapshot.taken_wall_ns {
        0 => Nanos(snapshot.started.wall_ns.saturating_add(snapshot.duration.0)),
        taken => Nanos(taken),
    }
}

fn info(snapshot: &Snapshot) -> [Family; 2] {
    let started = &snapshot.started;
    let one = |labels| vec![Sample { labels, value: 1.0 }];
    [
        Family::of(
            BUILD_INFO,
            "Always 1: the version of pintrace.",
            one(vec![("version", started.tool.clone())]),
        ),
        Family {
            metric: KERNEL_INFO,
            help: "Always 1: the labels name the kernel release, the machine and the mode of the session.",
            samples: one(vec![
                ("release", started.kernel.clone()),
                ("machine", started.machine.clone()),
                ("mode", started.mode.clone()),
            ]),
            histograms: Vec::new(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::MetricKind;
    use super::*;
    use pintrace_common::counters::Loss;

    #[test]
    fn names_follow_the_conventions_and_are_unique() {
        let families = families(&Snapshot::default());
        let names: BTreeSet<_> = families.iter().map(|family| family.metric.name).collect();
        assert_eq!(names.len(), families.len());
        for family in &families {
            let Metric { name, kind, .. } = family.metric;
            assert!(name.starts_with("pintrace_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == MetricKind::Counter, "{name}");
            assert!(family.help.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn every_loss_reason_is_a_sample_from_the_start() {
        let snapshot = crate::Model::default().snapshot();
        assert_eq!(lost(&snapshot).samples.len(), Loss::COUNT + 1);
    }

    #[test]
    fn the_time_of_the_last_sample_follows_the_wall_clock() {
        let mut snapshot = Snapshot {
            started: std::sync::Arc::new(pintrace_events::Started {
                wall_ns: 1_000_000_000,
                ..Default::default()
            }),
            duration: Nanos(2_000_000_000),
            ..Snapshot::default()
        };
        assert_eq!(taken(&snapshot), Nanos(3_000_000_000));
        // The machine was suspended for an hour.
        snapshot.taken_wall_ns = 3_603_000_000_000;
        assert_eq!(timestamps(&snapshot)[1].samples, [unlabelled(3603.0)]);
    }

    #[test]
    fn unreadable_vmstat_exports_no_sample() {
        let families = families(&Snapshot::default());
        let vmstat = families
            .iter()
            .find(|family| family.metric.name == "pintrace_vmstat_held_pages");
        assert!(vmstat.unwrap().samples.is_empty());
    }
}
