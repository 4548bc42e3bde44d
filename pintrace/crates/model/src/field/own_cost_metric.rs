//! Metrics of the own cost. The label `map` has the names of the maps of the eBPF objects.

use pintrace_events::Detail;
use pintrace_events::units::Nanos;

use crate::own_cost::{Measurement, OwnCost, Runs};
use crate::snapshot::Snapshot;

use super::Metric;
use super::family::{Family, Sample, as_float, unlabelled};

/// A metric without labels, with its help and its value.
type Figure = (Metric, &'static str, fn(&OwnCost) -> Option<f64>);

/// Metrics without labels.
const FIGURES: &[Figure] = &[
    (
        Metric::counter("pintrace_program_measured_seconds_total"),
        "Time during which the runs of the programs were measured. A share of one CPU is the rate of the run time divided \
         by the rate of this time.",
        |cost| measured(cost).map(|total| total.over.as_secs()),
    ),
    (
        Metric::gauge("pintrace_ring_buffer_size_bytes"),
        "Size of the ring buffer.",
        |cost| cost.ring.map(|ring| as_float(ring.size)),
    ),
    (
        Metric::gauge("pintrace_ring_buffer_used_bytes"),
        "Bytes of the ring buffer that wait to be read.",
        |cost| cost.ring.map(|ring| as_float(ring.used)),
    ),
    (
        Metric::gauge("pintrace_ring_buffer_max_used_bytes"),
        "The most bytes of the ring buffer that waited to be read since the start.",
        |cost| cost.ring.map(|ring| as_float(ring.most)),
    ),
    (
        Metric::counter("pintrace_process_cpu_seconds_total"),
        "CPU time of the process of pintrace, user and system.",
        |cost| Some(cost.process.cpu.as_secs()),
    ),
    (
        Metric::gauge("pintrace_process_resident_memory_bytes"),
        "Resident memory of the process of pintrace (VmRSS).",
        |cost| cost.process.resident.map(as_float),
    ),
];

/// Returns every family of this module.
pub(super) fn families(snapshot: &Snapshot) -> Vec<Family> {
    let cost = snapshot.own_cost.as_deref();
    let mut families = vec![
        by_purpose(
            cost,
            Metric::counter("pintrace_program_run_seconds_total").by(&["purpose"]),
            "Run time of the BPF programs while it was measured, by purpose.",
            |runs| runs.time.as_secs(),
        ),
        by_purpose(
            cost,
            Metric::counter("pintrace_program_runs_total").by(&["purpose"]),
            "Runs of the BPF programs while they were measured, by purpose.",
            |runs| as_float(runs.count),
        ),
        map_memory(cost),
        shed(snapshot),
    ];
    families.extend(FIGURES.iter().map(|(metric, help, value)| Family {
        metric: *metric,
        help,
        samples: cost.and_then(value).into_iter().map(unlabelled).collect(),
        histograms: Vec::new(),
    }));
    families
}

/// Returns the sums over all measurements; `None` before the first one.
fn measured(cost: &OwnCost) -> Option<&Measurement> {
    Some(&cost.run_time.total).filter(|total| total.over > Nanos(0))
}

fn by_purpose(cost: Option<&OwnCost>, metric: Metric, help: &'static str, value: fn(&Runs) -> f64) -> Family {
    let runs = cost.and_then(measured).map(|total| total.runs.iter());
    let samples = runs.into_iter().flatten().map(|(purpose, runs)| Sample {
        labels: vec![("purpose", purpose.as_str().to_owned())],
        value: value(runs),
    });
    Family {
        metric,
        help,
        samples: samples.collect(),
        histograms: Vec::new(),
    }
}

fn shed(snapshot: &Snapshot) -> Family {
    let samples = Detail::ALL.map(|detail| Sample {
        labels: vec![("detail", detail.as_str().to_owned())],
        value: f64::from(u8::from(snapshot.shed.iter().any(|shed| shed.detail == detail))),
    });
    Family::of(
        Metric::gauge("pintrace_detail_shed").by(&["detail"]),
        "1 if the detail was given up to keep within --budget.",
        samples.into(),
    )
}

fn map_memory(cost: Option<&OwnCost>) -> Family {
    let maps = cost
        .filter(|cost| cost.maps_unread.is_empty())
        .map(|cost| cost.maps.iter());
    let samples = maps.into_iter().flatten().map(|(name, map)| Sample {
        labels: vec![("map", name.clone())],
        value: as_float(map.bytes),
    });
    Family::of(
        Metric::gauge("pintrace_map_memory_bytes").by(&["map"]),
        "Memory of the BPF maps, by the name that the kernel keeps.",
        samples.collect(),
    )
}
