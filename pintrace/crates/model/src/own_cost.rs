//! The own cost: what pintrace itself takes of the host. No event carries it, because it says nothing about pins; the
//! session hands it to the model, and a recording has none.

mod purpose;
mod share;
pub mod text;

use std::collections::BTreeMap;

use pintrace_events::units::Nanos;

pub use purpose::ProgramPurpose;

/// The time for which pintrace enables the kernel's BPF statistics.
pub const SAMPLED_FOR: Nanos = Nanos(1_000_000_000);
/// The time from one start of the statistics to the next.
pub const SAMPLED_EVERY: Nanos = Nanos(30_000_000_000);

/// The own cost at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnCost {
    /// CPUs that are online; 0 if unknown.
    pub cpus: u32,
    /// Run time of the BPF programs.
    pub run_time: RunTime,
    /// Memory of the BPF maps, by the name that the kernel keeps (15 characters).
    pub maps: BTreeMap<String, MapMemory>,
    /// The reason why the memory of the maps is unknown; empty if it is known.
    pub maps_unread: String,
    /// Fill of the ring buffer; `None` for a session without a ring buffer.
    pub ring: Option<RingFill>,
    /// The process of the session.
    pub process: ProcessCost,
}

/// Run time of the BPF programs, as the kernel's BPF statistics count it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunTime {
    /// How the run time is measured.
    pub statistics: Statistics,
    /// Sums over all measurements.
    pub total: Measurement,
    /// The latest measurement.
    pub latest: Option<Measurement>,
    /// The time of the end of the latest measurement, by the clock of the stream.
    pub ended: Nanos,
}

/// How the run time of the programs is measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Statistics {
    /// Nobody looks, so nothing is measured.
    #[default]
    Idle,
    /// pintrace enables the statistics for a short time, again and again.
    Sampled,
    /// The administrator has enabled the statistics (`kernel.bpf_stats_enabled`).
    Continuous,
    /// The statistics cannot be enabled, for this reason.
    Refused(String),
}

/// Runs of programs during a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measurement {
    /// The time during which runs were counted.
    pub over: Nanos,
    /// Runs by the purpose of the programs. A purpose without loaded programs has no entry.
    pub runs: BTreeMap<ProgramPurpose, Runs>,
}

/// Runs of some programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Number of runs.
    pub count: u64,
    /// The time that the runs took.
    pub time: Nanos,
}

/// Memory of the maps with one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapMemory {
    /// Number of maps with the name.
    pub maps: u32,
    /// Bytes that the kernel charges for the maps (`memlock` in /proc/PID/fdinfo). Before Linux 6.4 an estimate from the
    /// size of the map.
    pub bytes: u64,
}

/// Fill of the ring buffer in bytes, headers of records included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingFill {
    /// Size of the ring buffer.
    pub size: u64,
    /// Bytes that wait to be read.
    pub used: u64,
    /// The most bytes that waited since the start.
    pub most: u64,
}

/// The process of the session, all threads together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessCost {
    /// CPU time since the start of the process.
    pub cpu: Nanos,
    /// CPU time of `interval`.
    pub cpu_of_interval: Nanos,
    /// The time since the last sample; 0 for the first sample.
    pub interval: Nanos,
    /// Resident memory in bytes (`VmRSS` in /proc/PID/status); `None` if it cannot be read.
    pub resident: Option<u64>,
}

impl OwnCost {
    /// Returns the memory of all maps in bytes; `None` if it is unknown.
    #[must_use]
    pub fn map_bytes(&self) -> Option<u64> {
        let all = self.maps.values();
        self.maps_unread
            .is_empty()
            .then(|| all.fold(0, |sum: u64, map| sum.saturating_add(map.bytes)))
    }
}

impl Measurement {
    /// Adds the runs and the time of another measurement.
    pub fn add(&mut self, other: &Self) {
        self.over = Nanos(self.over.0.saturating_add(other.over.0));
        for (purpose, runs) in &other.runs {
            self.runs.entry(*purpose).or_default().add(*runs);
        }
    }

    /// Returns the runs of the programs that run in the context of other processes: all hooks.
    #[must_use]
    pub fn hooks(&self) -> Runs {
        let mut sum = Runs::default();
        for (_, runs) in self.runs.iter().filter(|(purpose, _)| purpose.is_hook()) {
            sum.add(*runs);
        }
        sum
    }
}

impl Runs {
    /// Adds other runs.
    pub fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.time = Nanos(self.time.0.saturating_add(other.time.0));
    }
}
