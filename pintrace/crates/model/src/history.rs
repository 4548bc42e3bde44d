//! The pages that processes held at the latest snapshots, and the latest snapshots themselves. The caller keeps both beside
//! the snapshots; the model does not.

mod ring;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pintrace_events::units::{Nanos, Pid};

use crate::snapshot::{Process, Snapshot};

pub use ring::SnapshotRing;

/// The pages and bytes that processes held over time. At most [`History::memory`] bytes: with the default limits, 600
/// samples of 1024 processes, 16 MiB and 8 KiB.
#[derive(Clone, Debug)]
pub struct History {
    most_samples: usize,
    most_processes: usize,
    /// Times of the samples, oldest first.
    times: VecDeque<Nanos>,
    /// By pid and number of earlier processes with that pid.
    by_process: BTreeMap<(Pid, u32), VecDeque<Held>>,
}

/// What a process held at one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    pages: u64,
    bytes: u64,
}

/// What a process held at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistorySample {
    /// Time of the snapshot.
    pub time: Nanos,
    /// Pages held.
    pub pages_held: u64,
    /// Bytes kept in place.
    pub bytes_held: u64,
}

impl Default for History {
    fn default() -> Self {
        Self::new(600, 1024)
    }
}

impl History {
    /// Returns an empty history of at most `samples` samples of each of at most `processes` processes.
    #[must_use]
    pub fn new(samples: usize, processes: usize) -> Self {
        Self {
            most_samples: samples,
            most_processes: processes,
            times: VecDeque::new(),
            by_process: BTreeMap::new(),
        }
    }

    /// Returns the most bytes that the samples take. A queue grows to a power of two.
    #[must_use]
    pub fn memory(&self) -> usize {
        let samples = self
            .most_samples
            .checked_next_power_of_two()
            .unwrap_or(usize::MAX);
        let of_process = samples.saturating_mul(size_of::<Held>());
        let of_times = samples.saturating_mul(size_of::<Nanos>());
        of_times.saturating_add(of_process.saturating_mul(self.most_processes))
    }

    /// Adds a sample of the processes that hold most pages; a process without pages is sampled while there is room.
    /// Ignores a snapshot that is not later than the latest sample.
    pub fn record(&mut self, snapshot: &Snapshot) {
        let is_later = self.times.back().is_none_or(|latest| snapshot.time > *latest);
        if !is_later || self.most_samples == 0 {
            return;
        }
        if self.times.len() >= self.most_samples {
            self.times.pop_front();
        }
        self.times.push_back(snapshot.time);
        let largest = self.largest(snapshot);
        let keys: BTreeSet<_> = largest.iter().map(|process| key(process)).collect();
        self.by_process.retain(|process, _| keys.contains(process));
        for process in largest {
            let samples = self.by_process.entry(key(process)).or_default();
            if samples.len() >= self.times.len() {
                samples.pop_front();
            }
            samples.push_back(Held {
                pages: process.pages_held,
                bytes: process.bytes_held,
            });
        }
    }

    /// Returns the samples of the latest process with a pid, oldest first; nothing for a process that is not sampled.
    pub fn of(&self, pid: Pid) -> impl DoubleEndedIterator<Item = HistorySample> + ExactSizeIterator {
        let of_pid = self.by_process.range((pid, 0)..=(pid, u32::MAX));
        self.samples(of_pid.map(|(_, samples)| samples).next_back())
    }

    /// Returns the samples of one process, oldest first.
    pub fn of_process(
        &self,
        process: &Process,
    ) -> impl DoubleEndedIterator<Item = HistorySample> + ExactSizeIterator {
        self.samples(self.by_process.get(&key(process)))
    }

    /// Returns samples with their times. The last sample of each process has the last time.
    fn samples(
        &self,
        samples: Option<&VecDeque<Held>>,
    ) -> impl DoubleEndedIterator<Item = HistorySample> + ExactSizeIterator + use<> {
        let samples: Vec<_> = samples.into_iter().flatten().copied().collect();
        let times = self.times.range(self.times.len() - samples.len()..);
        let with_times: Vec<_> = times
            .zip(samples)
            .map(|(time, held)| HistorySample {
                time: *time,
                pages_held: held.pages,
                bytes_held: held.bytes,
            })
            .collect();
        with_times.into_iter()
    }

    /// Returns the processes to sample: those that hold most pages, and of those with equal pages the ones with samples.
    fn largest<'a>(&self, snapshot: &'a Snapshot) -> Vec<&'a Process> {
        let is_sampled = |process: &Process| self.by_process.contains_key(&key(process));
        let mut processes: Vec<(u64, bool, &Process)> = snapshot
            .processes
            .iter()
            .map(|process| (process.pages_held, is_sampled(process), &**process))
            .filter(|(pages, is_sampled, _)| *pages > 0 || *is_sampled)
            .collect();
        if processes.len() > self.most_processes {
            let by_size = |(pages, is_sampled, process): &(u64, bool, &Process)| {
                (Reverse((*pages, *is_sampled)), key(process))
            };
            processes.select_nth_unstable_by_key(self.most_processes, by_size);
            processes.truncate(self.most_processes);
        }
        processes.into_iter().map(|(_, _, process)| process).collect()
    }
}

fn key(process: &Process) -> (Pid, u32) {
    (process.pid, process.earlier_processes)
}

#[cfg(test)]
mod tests;
