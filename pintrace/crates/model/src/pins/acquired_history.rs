//! Pages acquired by one account over time, as a lower bound of the pages that are held for long.
//!
//! Let A be the pages acquired until a moment, and R the pages released until now. At least A - R pages are still held
//! and were pinned before that moment, no matter which pages were released.

use std::collections::VecDeque;

use pintrace_events::units::Nanos;

/// Limit for short-term pins. Direct I/O that takes longer hangs, and a pin that is meant to stay has `FOLL_LONGTERM`.
const HELD_TOO_LONG: Nanos = Nanos(10_000_000_000);
/// Number of samples kept for an account.
const SAMPLES: usize = 16;
/// Minimum time between two kept samples: [`SAMPLES`] of them cover more than [`HELD_TOO_LONG`]. Shorter than the
/// second between two samples of the stream.
const STEP: Nanos = Nanos(HELD_TOO_LONG.0 / 12);

/// Samples of the pages that one account has acquired.
#[derive(Clone, Debug, Default)]
pub(crate) struct AcquiredHistory {
    /// Oldest sample first.
    samples: VecDeque<(Nanos, u64)>,
}

impl AcquiredHistory {
    /// Adds a sample of the pages acquired so far.
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

    /// Returns a lower bound of the pages held for [`HELD_TOO_LONG`] or longer, and a lower bound of the age of the
    /// oldest page.
    pub(crate) fn held_too_long(&self, now: Nanos, released: u64) -> Option<(u64, Nanos)> {
        let until = Nanos(now.0.checked_sub(HELD_TOO_LONG.0)?);
        let (_, acquired) = self.samples.iter().rev().find(|(time, _)| *time <= until)?;
        let pages = acquired.checked_sub(released).filter(|pages| *pages > 0)?;
        let oldest = self.samples.iter().find(|(_, acquired)| *acquired > released);
        Some((pages, now.since(oldest.map_or(until, |(time, _)| *time))))
    }
}
