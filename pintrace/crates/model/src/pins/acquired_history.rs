//! Pages acquired by one account over time: a lower bound for pages that are held for long.
//!
//! Pages acquired by some moment, less pages released by now, are still held and at least as old as that moment,
//! whichever pages were released. Both totals only grow, so the difference is a bound and no estimate.

use std::collections::VecDeque;

use pintrace_events::units::Nanos;

/// Direct I/O that takes longer hangs. A pin that is meant to stay asks for `FOLL_LONGTERM`.
const HELD_TOO_LONG: Nanos = Nanos(10_000_000_000);
/// Samples kept of an account.
const SAMPLES: usize = 16;
/// Least time between two kept samples, so that they cover more than [`HELD_TOO_LONG`]. Less than the second between two
/// samples of the stream.
const STEP: Nanos = Nanos(HELD_TOO_LONG.0 / 12);

/// Samples of the pages that one account has acquired.
#[derive(Clone, Debug, Default)]
pub(crate) struct AcquiredHistory {
    /// Oldest first; the last one is the latest sample.
    samples: VecDeque<(Nanos, u64)>,
}

impl AcquiredHistory {
    /// Adds the pages acquired so far.
    pub(super) fn note(&mut self, time: Nanos, acquired: u64) {
        let last_but_one = self
            .samples
            .len()
            .checked_sub(2)
            .and_then(|at| self.samples.get(at));
        let dense = last_but_one.is_some_and(|(before, _)| {
            self.samples
                .back()
                .is_some_and(|(last, _)| last.since(*before) < STEP)
        });
        if dense {
            self.samples.pop_back();
        }
        if self.samples.len() >= SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((time, acquired));
    }

    /// A lower bound of the pages held for [`HELD_TOO_LONG`] or longer, and a lower bound of the oldest page's age.
    pub(crate) fn held_too_long(&self, now: Nanos, released: u64) -> Option<(u64, Nanos)> {
        let until = Nanos(now.0.checked_sub(HELD_TOO_LONG.0)?);
        let (_, acquired) = self.samples.iter().rev().find(|(time, _)| *time <= until)?;
        let pages = acquired.checked_sub(released).filter(|pages| *pages > 0)?;
        let oldest = self.samples.iter().find(|(_, acquired)| *acquired > released);
        Some((pages, now.since(oldest.map_or(until, |(time, _)| *time))))
    }
}
