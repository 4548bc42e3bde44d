//! Books against ledger: when they count from the same moment, and how far they may differ only
//! because they cannot be read at the same instant.

use pintrace_events::TruthSampled;

use pintrace_kernel::books::Books;

/// The hooks' running totals, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Pinned.
    pub acquired: u64,
    /// Released, of pins the ledger knew.
    pub released: u64,
    /// Released, of older pins.
    pub opening_released: u64,
    /// Pinned once more without the books' taking note of it.
    pub unbooked: u64,
    /// Pinned and dropped inside a pin call.
    pub internal: u64,
    /// Released by rule from one of several holders.
    pub ambiguous: u64,
}

/// Totals read before and after the books, and the books between.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Before.
    pub before: Totals,
    /// Between.
    pub books: Books,
    /// After.
    pub after: Totals,
}

impl Reading {
    /// Nothing happened while it was taken.
    pub fn is_quiet(&self) -> bool {
        self.before == self.after
    }

    fn in_flight(&self) -> u64 {
        let moved = |pick: fn(&Totals) -> u64| pick(&self.after).saturating_sub(pick(&self.before));
        moved(|t| t.acquired) + moved(|t| t.released) + moved(|t| t.opening_released)
    }
}

/// What looking at memory has added to what the hooks' totals say is held, or taken off, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Healed {
    /// Of pins since the start.
    pub ledger: i64,
    /// Of older ones.
    pub opening: i64,
}

/// What the books stood at when the hooks began to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// `nr_foll_pin_acquired` then.
    pub acquired: u64,
    /// `nr_foll_pin_released` then.
    pub released: u64,
}

impl Baseline {
    /// From readings taken soon after the start.
    ///
    /// A pin is in the books before its call returns to our hook, so the books can only be ahead:
    /// the least difference is the truest. A release passes our hook before it is in the books, so
    /// there the greatest is. Quiet readings count before others.
    pub fn from_readings(readings: &[Reading]) -> Option<Self> {
        let quiet: Vec<_> = readings.iter().filter(|reading| reading.is_quiet()).collect();
        let chosen = if quiet.is_empty() {
            readings.iter().collect()
        } else {
            quiet
        };
        let acquired = chosen.iter().map(|reading| {
            let totals = &reading.after;
            let seen = (totals.acquired + totals.internal).saturating_sub(totals.unbooked);
            reading.books.acquired.saturating_sub(seen)
        });
        let released = chosen.iter().map(|reading| {
            let totals = &reading.before;
            let seen = totals.released + totals.opening_released + totals.internal;
            reading.books.released.saturating_sub(seen)
        });
        Some(Self {
            acquired: acquired.min()?,
            released: released.max()?,
        })
    }

    /// Pages that were pinned at the start.
    pub fn opening_held(&self) -> u64 {
        self.acquired.saturating_sub(self.released)
    }

    /// The sample that the stream carries.
    pub fn sample(&self, reading: &Reading, healed: Healed) -> TruthSampled {
        TruthSampled {
            books_acquired: Some(reading.books.acquired.saturating_sub(self.acquired)),
            books_released: Some(reading.books.released.saturating_sub(self.released)),
            in_flight: reading.in_flight(),
            ..Self::without_books(self.opening_held(), reading.after, healed)
        }
    }

    /// The sample where the books cannot be read.
    pub fn without_books(opening_held: u64, totals: Totals, healed: Healed) -> TruthSampled {
        TruthSampled {
            books_acquired: None,
            books_released: None,
            opening_held,
            ledger_acquired: totals.acquired,
            ledger_released: totals.released,
            opening_released: totals.opening_released,
            unbooked: totals.unbooked,
            internal: totals.internal,
            ambiguous: totals.ambiguous,
            healed: healed.ledger,
            opening_healed: healed.opening,
            ..TruthSampled::default()
        }
    }

    /// Of so many readings, the first in which books and ledger agree, or else the one in which they come nearest to it.
    pub fn nearest<E>(
        &self,
        readings: usize,
        healed: Healed,
        mut read: impl FnMut() -> Result<Option<Reading>, E>,
    ) -> Result<Option<TruthSampled>, E> {
        let mut nearest: Option<(u128, TruthSampled)> = None;
        for _ in 0..readings {
            let Some(reading) = read()? else { break };
            let sample = self.sample(&reading, healed);
            let apart = sample.balance().difference().unsigned_abs();
            if nearest.as_ref().is_none_or(|(least, _)| apart < *least) {
                nearest = Some((apart, sample));
            }
            if apart == 0 {
                break;
            }
        }
        Ok(nearest.map(|(_, sample)| sample))
    }
}

/// The books around a look that found so many pages pinned, which stand as the ledger.
pub fn around(before: Books, after: Books, pinned: u64) -> TruthSampled {
    TruthSampled {
        books_acquired: Some(after.acquired),
        books_released: Some(after.released),
        in_flight: after.acquired.saturating_sub(before.acquired)
            + after.released.saturating_sub(before.released),
        ledger_acquired: pinned,
        ..TruthSampled::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(books: (u64, u64), totals: Totals) -> Reading {
        Reading {
            before: totals,
            books: Books {
                acquired: books.0,
                released: books.1,
            },
            after: totals,
        }
    }

    fn difference(baseline: Baseline, reading: &Reading) -> i128 {
        baseline.sample(reading, Healed::default()).balance().difference()
    }

    #[test]
    fn an_idle_machine_opens_with_what_is_pinned() {
        let baseline = Baseline::from_readings(&[reading((100, 36), Totals::default())]).unwrap();
        assert_eq!(baseline.opening_held(), 64);
        assert_eq!(difference(baseline, &reading((100, 36), Totals::default())), 0);
    }

    #[test]
    fn a_call_under_way_does_not_shift_the_baseline() {
        // First reading: 8 pages are in the books, their call has not returned. Second: it has.
        let after = Totals {
            acquired: 8,
            ..Totals::default()
        };
        let readings = [reading((108, 36), Totals::default()), reading((108, 36), after)];
        assert_eq!(Baseline::from_readings(&readings).unwrap().acquired, 100);
    }

    #[test]
    fn a_release_under_way_does_not_shift_the_baseline() {
        let seen = Totals {
            opening_released: 4,
            ..Totals::default()
        };
        let readings = [reading((100, 36), seen), reading((100, 40), seen)];
        assert_eq!(Baseline::from_readings(&readings).unwrap().released, 36);
    }

    #[test]
    fn retries_count_on_both_sides() {
        let baseline = Baseline::default();
        let totals = Totals {
            acquired: 10,
            internal: 5,
            ..Totals::default()
        };
        assert_eq!(difference(baseline, &reading((15, 5), totals)), 0);
    }

    #[test]
    fn what_the_books_know_by_its_release_alone_counts_on_both_sides() {
        let totals = |released| Totals {
            acquired: 12,
            released,
            unbooked: 8,
            ..Totals::default()
        };
        let begun = Baseline::from_readings(&[reading((104, 40), totals(0))]).unwrap();
        assert_eq!(begun.opening_held(), 60);
        assert_eq!(difference(begun, &reading((104, 40), totals(0))), 0);
        assert_eq!(difference(begun, &reading((104, 52), totals(12))), 0);
    }

    #[test]
    fn a_missed_release_shows() {
        let totals = Totals {
            acquired: 10,
            released: 7,
            ..Totals::default()
        };
        assert_eq!(difference(Baseline::default(), &reading((10, 7), totals)), 0);
        assert_eq!(difference(Baseline::default(), &reading((10, 10), totals)), -3);
    }

    #[test]
    fn after_a_healing_the_reading_that_agrees_is_taken() {
        // The hooks have missed 4 releases for good. At the first reading a call has pinned 4 more and not returned, so
        // that books and totals alone seem to agree.
        let seen = |acquired| Totals {
            acquired,
            ..Totals::default()
        };
        let mut readings = [reading((14, 4), seen(10)), reading((14, 4), seen(14))].into_iter();
        let healed = Healed {
            ledger: -4,
            opening: 0,
        };
        let sample = Baseline::default()
            .nearest(2, healed, || Ok::<_, ()>(readings.next()))
            .unwrap()
            .unwrap();
        assert_eq!(sample.ledger_acquired, 14);
        assert_eq!(sample.balance().unaccounted(), 0);
    }
}
