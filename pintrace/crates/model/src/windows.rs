//! Flush windows: totals by process and cause.

use std::collections::BTreeMap;

use pintrace_events::units::{Nanos, Pid};
use pintrace_events::{Cause, WindowsSampled};

use crate::finding::WindowTotals;
use crate::limits;

/// The latest sample of each process and cause. Processes that reuse a pid stay apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct WindowTable {
    /// By pid, cause and number of earlier processes with that pid.
    latest: BTreeMap<(Pid, Cause, u32), WindowsSampled>,
}

impl WindowTable {
    /// Takes a sample and returns the number of earlier processes with the same pid; `None` if there is no room.
    pub(crate) fn sample(&mut self, sample: &WindowsSampled) -> Option<u32> {
        let (pid, cause) = (sample.pid, sample.cause);
        let of_pid = self.latest.range((pid, cause, 0)..=(pid, cause, u32::MAX));
        let earlier_processes = match of_pid.last() {
            Some(((.., number), before)) if sample.first > before.last => number.saturating_add(1),
            Some(((.., number), _)) => *number,
            None => 0,
        };
        let key = (pid, cause, earlier_processes);
        if self.latest.len() >= limits::WINDOWS && !self.latest.contains_key(&key) {
            return None;
        }
        let mut kept = sample.clone();
        kept.comm = limits::clip(&kept.comm, limits::COMM_CHARS);
        kept.durations.truncate(u64::BITS as usize + 1);
        self.latest.insert(key, kept);
        Some(earlier_processes)
    }

    pub(crate) fn list(&self) -> Vec<WindowTotals> {
        self.latest.values().map(totals).collect()
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
