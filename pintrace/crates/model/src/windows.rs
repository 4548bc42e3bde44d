//! Flush windows: totals by process and cause.

use std::collections::BTreeMap;

use pintrace_events::units::{Nanos, Pid};
use pintrace_events::{Cause, WindowsSampled};

use crate::finding::{WindowSums, WindowTotals};
use crate::limits;

/// The latest sample of each process and cause, and the sums by cause. In a full table, the entry whose latest window
/// ended first gives way, so that each new process has an entry: the programs have room for as many processes at a time,
/// and a session sees more.
#[derive(Clone, Debug, Default)]
pub(crate) struct WindowTable {
    /// By pid, cause and time of the first window, which tells processes with the same pid apart.
    latest: BTreeMap<(Pid, Cause, Nanos), WindowsSampled>,
    /// Sums over all processes since the start.
    by_cause: BTreeMap<Cause, WindowSums>,
    /// Latest end of a window of an entry that gave way.
    displaced_until: Option<Nanos>,
}

impl WindowTable {
    /// Takes a sample.
    pub(crate) fn sample(&mut self, sample: &WindowsSampled) {
        let key = (sample.pid, sample.cause, sample.first);
        let sums = self.by_cause.entry(sample.cause).or_default();
        match self.latest.get(&key) {
            Some(before) => sums.add(sample, Some(before)),
            // A new process is sampled within a tick of its first window, and thousands of processes have had windows since
            // the entries that gave way. So the entry of this process gave way too. The sums have its windows already,
            // except those since its last sample: no window counts twice.
            None if self.displaced_until.is_some_and(|until| sample.first <= until) => {
                sums.add(sample, Some(sample));
            }
            None => sums.add(sample, None),
        }
        if self.latest.len() >= limits::WINDOWS && !self.latest.contains_key(&key) {
            self.displace();
        }
        let mut kept = sample.clone();
        kept.comm = limits::clip(&kept.comm, limits::COMM_CHARS);
        kept.durations.truncate(u64::BITS as usize + 1);
        self.latest.insert(key, kept);
    }

    /// Removes the entry whose latest window ended first.
    fn displace(&mut self) {
        let oldest = self.latest.iter().min_by_key(|(_, sample)| sample.last);
        if let Some((key, last)) = oldest.map(|(key, sample)| (*key, sample.last)) {
            self.latest.remove(&key);
            self.displaced_until = self.displaced_until.max(Some(last));
        }
    }

    pub(crate) fn list(&self) -> Vec<WindowTotals> {
        self.latest.values().map(totals).collect()
    }

    /// Returns the sums of each cause that has had windows.
    pub(crate) fn by_cause(&self) -> BTreeMap<Cause, WindowSums> {
        self.by_cause.clone()
    }
}

impl WindowSums {
    /// Adds the windows of a sample that an earlier sample of the same process lacks.
    fn add(&mut self, sample: &WindowsSampled, before: Option<&WindowsSampled>) {
        let add = |sum: &mut u64, count: fn(&WindowsSampled) -> u64| {
            let more = count(sample).saturating_sub(before.map_or(0, count));
            *sum = sum.saturating_add(more);
        };
        add(&mut self.count, |sample| sample.windows);
        add(&mut self.pages, |sample| sample.pages);
        add(&mut self.faults, |sample| sample.faults);
        add(&mut self.cows, |sample| sample.copies);
        add(&mut self.pins, |sample| sample.pins);
        self.max = self.max.max(Nanos(sample.longest_ns));
    }
}

fn totals(sample: &WindowsSampled) -> WindowTotals {
    WindowTotals {
        pid: sample.pid,
        comm: sample.comm.clone(),
        cause: sample.cause,
        count: sample.windows,
        pages: sample.pages,
        p50: quantile(sample, 50),
        p99: quantile(sample, 99),
        max: Nanos(sample.longest_ns),
        faults: sample.faults,
        cows: sample.copies,
        pins: sample.pins,
    }
}

/// Returns a percentile of the durations: the upper bound of the bucket, but no more than the longest duration.
fn quantile(sample: &WindowsSampled, percent: u128) -> Nanos {
    let all: u128 = sample.durations.iter().map(|count| u128::from(*count)).sum();
    let wanted = (all * percent).div_ceil(100);
    let mut seen = 0;
    for (power, count) in (0_u32..).zip(&sample.durations) {
        seen += u128::from(*count);
        if seen >= wanted && wanted > 0 {
            let bound = 1_u64.checked_shl(power).unwrap_or(u64::MAX);
            return Nanos(bound.min(sample.longest_ns));
        }
    }
    Nanos(sample.longest_ns)
}
