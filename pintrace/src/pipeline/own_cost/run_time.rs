//! Measures the run time of programs: chooses the times at which the kernel's BPF statistics are on.

use pintrace_events::units::Nanos;
use pintrace_model::own_cost::{Measurement, RunTime, SAMPLED_EVERY, SAMPLED_FOR, Statistics};

use super::programs::{Counts, between};
use super::statistics::{MOST_ENABLED, Switch};

/// A timer may fire this much too early.
const EARLY: u64 = SAMPLED_FOR.0 / 10;

/// Measures the run time of programs.
#[derive(Debug, Default)]
pub(super) struct RunTimeMeter<S> {
    /// The results so far.
    pub(super) results: RunTime,
    switch: S,
    running: Option<Running>,
    /// Earliest start of the next measurement with the switch.
    next: Nanos,
}

/// A measurement that has begun.
#[derive(Debug)]
struct Running {
    since: Nanos,
    first: Counts,
    /// The administrator has enabled the statistics.
    is_continuous: bool,
}

/// The circumstances of a sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// The time, by the clock of the stream.
    pub(super) now: Nanos,
    /// Someone looks.
    pub(super) looked_at: bool,
    /// The administrator has enabled the statistics.
    pub(super) always_on: bool,
}

impl<S: Switch> RunTimeMeter<S> {
    pub(super) fn new(switch: S) -> Self {
        Self {
            results: RunTime::default(),
            switch,
            running: None,
            next: Nanos(0),
        }
    }

    /// Ends a measurement that is due, and begins one if someone looks.
    pub(super) fn sample(&mut self, at: Circumstances, mut read: impl FnMut() -> Counts) {
        let is_due = |running: &Running| {
            let over = at.now.since(running.since);
            running.is_continuous || over.0 >= SAMPLED_FOR.0 - EARLY
        };
        if self.running.as_ref().is_some_and(is_due) {
            self.end(at.now, &mut read);
        }
        if self.running.is_none() && at.looked_at {
            self.begin(at, read);
        }
    }

    /// Ends the measurement in progress.
    pub(super) fn end(&mut self, now: Nanos, mut read: impl FnMut() -> Counts) {
        let Some(running) = self.running.take() else {
            return;
        };
        let last = read();
        let over = now.since(running.since);
        if !running.is_continuous {
            // An error changes nothing: the switch ends with its process.
            let _ = self.switch.set(false);
            // The switch turns the statistics off by itself after this time, for example while pintrace was stopped.
            if over.0 > MOST_ENABLED.as_nanos().try_into().unwrap_or(u64::MAX) {
                return;
            }
        }
        let latest = Measurement {
            over,
            runs: between(&running.first, &last),
        };
        self.results.total.add(&latest);
        self.results.latest = Some(latest);
        self.results.ended = now;
    }

    fn begin(&mut self, at: Circumstances, mut read: impl FnMut() -> Counts) {
        if at.always_on {
            self.results.statistics = Statistics::Continuous;
        } else if at.now < self.next {
            return;
        } else {
            self.next = Nanos(at.now.0.saturating_add(SAMPLED_EVERY.0));
            match self.switch.set(true) {
                Ok(()) => self.results.statistics = Statistics::Sampled,
                Err(why) => {
                    self.results.statistics = Statistics::Refused(why);
                    return;
                }
            }
        }
        self.running = Some(Running {
            since: at.now,
            first: read(),
            is_continuous: at.always_on,
        });
    }
}

#[cfg(test)]
#[path = "run_time_tests.rs"]
mod tests;
