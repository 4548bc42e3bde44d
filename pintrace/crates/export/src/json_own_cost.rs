//! The own cost in JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use pintrace_model::own_cost::{Measurement, RunTime, Statistics};
use pintrace_model::snapshot::Snapshot;

/// What pintrace itself takes of the host.
#[derive(Serialize)]
pub(super) struct OwnCostKeys<'a> {
    /// CPUs that are online; 0 if unknown.
    cpus: u32,
    run_time: RunTimeKeys<'a>,
    /// Bytes by map; `null` if unknown.
    maps: Option<BTreeMap<&'a str, u64>>,
    map_bytes: Option<u64>,
    /// The reason why the memory of the maps is unknown; empty if it is known.
    maps_unread: &'a str,
    ring: Option<RingKeys>,
    cpu: CpuKeys,
    /// Resident memory of the process in bytes.
    resident_bytes: Option<u64>,
}

/// Run time of the BPF programs.
#[derive(Serialize)]
struct RunTimeKeys<'a> {
    /// `idle`, `sampled`, `continuous` or `refused`.
    statistics: &'static str,
    /// The reason of a refusal; empty without a refusal.
    why: &'a str,
    /// Sums over all measurements.
    total: MeasurementKeys,
    /// The latest measurement; `null` before its end.
    latest: Option<MeasurementKeys>,
    /// The time since the end of the latest measurement.
    since_ns: Option<u64>,
}

#[derive(Serialize)]
struct MeasurementKeys {
    /// The time during which runs were counted.
    over_ns: u64,
    purposes: BTreeMap<&'static str, RunsKeys>,
}

#[derive(Serialize)]
struct RunsKeys {
    runs: u64,
    run_ns: u64,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "a key of the JSON names its unit")]
struct RingKeys {
    size_bytes: u64,
    used_bytes: u64,
    max_used_bytes: u64,
}

/// CPU time of the process.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "a key of the JSON names its unit")]
struct CpuKeys {
    /// Since the start of the process.
    total_ns: u64,
    /// Of the interval.
    used_ns: u64,
    /// The time since the sample before.
    interval_ns: u64,
}

impl<'a> OwnCostKeys<'a> {
    /// Returns the own cost of a snapshot; `None` for a recording.
    pub(super) fn of(snapshot: &'a Snapshot) -> Option<Self> {
        let cost = snapshot.own_cost.as_deref()?;
        let maps = cost.maps.iter().map(|(name, map)| (name.as_str(), map.bytes));
        let process = &cost.process;
        Some(Self {
            cpus: cost.cpus,
            run_time: RunTimeKeys::of(&cost.run_time, snapshot),
            maps: cost.map_bytes().map(|_| maps.collect()),
            map_bytes: cost.map_bytes(),
            maps_unread: &cost.maps_unread,
            ring: cost.ring.map(|ring| RingKeys {
                size_bytes: ring.size,
                used_bytes: ring.used,
                max_used_bytes: ring.most,
            }),
            cpu: CpuKeys {
                total_ns: process.cpu.0,
                used_ns: process.cpu_of_interval.0,
                interval_ns: process.interval.0,
            },
            resident_bytes: process.resident,
        })
    }
}

impl<'a> RunTimeKeys<'a> {
    fn of(run_time: &'a RunTime, snapshot: &Snapshot) -> Self {
        let (statistics, why) = match &run_time.statistics {
            Statistics::Idle => ("idle", ""),
            Statistics::Sampled => ("sampled", ""),
            Statistics::Continuous => ("continuous", ""),
            Statistics::Refused(why) => ("refused", why.as_str()),
        };
        let latest = run_time.latest.as_ref();
        Self {
            statistics,
            why,
            total: MeasurementKeys::from(&run_time.total),
            latest: latest.map(MeasurementKeys::from),
            since_ns: latest.map(|_| snapshot.time.since(run_time.ended).0),
        }
    }
}

impl From<&Measurement> for MeasurementKeys {
    fn from(measurement: &Measurement) -> Self {
        let purposes = measurement.runs.iter().map(|(purpose, runs)| {
            let keys = RunsKeys {
                runs: runs.count,
                run_ns: runs.time.0,
            };
            (purpose.as_str(), keys)
        });
        Self {
            over_ns: measurement.over.0,
            purposes: purposes.collect(),
        }
    }
}
