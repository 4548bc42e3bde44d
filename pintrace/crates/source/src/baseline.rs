//! Vmstat against ledger: when they count from the same moment, and how far they may differ only
//! because they cannot be read at the same instant.

use pintrace_events::BalanceSampled;

use pintrace_kernel::vmstat::Vmstat;

/// The hooks' running totals, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Pinned.
    pub acquired: u64,
    /// Released, of pins the ledger knew.
    pub released: u64,
    /// Released, of preexisting pins.
    pub preexisting_released: u64,
    /// Pinned once more without the vmstat counters' taking note of it.
    pub not_in_vmstat: u64,
    /// Pinned and dropped inside a pin call.
    pub gup_retry: u64,
    /// Released by rule from one of several holders.
    pub ambiguous_owner: u64,
}

/// Totals read before and after the vmstat counters, and the vmstat counters between.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Before.
    pub before: Totals,
    /// Between.
    pub vmstat: Vmstat,
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
        moved(|t| t.acquired) + moved(|t| t.released) + moved(|t| t.preexisting_released)
    }
}

/// What looking at memory has added to what the hooks' totals say is held, or taken off, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjustment {
    /// Of pins since the start.
    pub ledger: i64,
    /// Of older ones.
    pub preexisting: i64,
}

/// What the vmstat counters stood at when the hooks began to count.
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
    /// A pin is in the vmstat counters before its call returns to our hook, so the vmstat counters can only be ahead:
    /// the least difference is the truest. A release passes our hook before it is in the vmstat counters, so
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
            let seen = (totals.acquired + totals.gup_retry).saturating_sub(totals.not_in_vmstat);
            reading.vmstat.acquired.saturating_sub(seen)
        });
        let released = chosen.iter().map(|reading| {
            let totals = &reading.before;
            let seen = totals.released + totals.preexisting_released + totals.gup_retry;
            reading.vmstat.released.saturating_sub(seen)
        });
        Some(Self {
            acquired: acquired.min()?,
            released: released.max()?,
        })
    }

    /// Pages that were pinned at the start.
    pub fn preexisting_held(&self) -> u64 {
        self.acquired.saturating_sub(self.released)
    }

    /// The sample that the stream carries.
    pub fn sample(&self, reading: &Reading, adjustment: Adjustment) -> BalanceSampled {
        BalanceSampled {
            vmstat_acquired: Some(reading.vmstat.acquired.saturating_sub(self.acquired)),
            vmstat_released: Some(reading.vmstat.released.saturating_sub(self.released)),
            in_flight: reading.in_flight(),
            ..Self::without_vmstat(self.preexisting_held(), reading.after, adjustment)
        }
    }

    /// The sample where the vmstat counters cannot be read.
    pub fn without_vmstat(preexisting_held: u64, totals: Totals, adjustment: Adjustment) -> BalanceSampled {
        BalanceSampled {
            vmstat_acquired: None,
            vmstat_released: None,
            preexisting_held,
            ledger_acquired: totals.acquired,
            ledger_released: totals.released,
            preexisting_released: totals.preexisting_released,
            not_in_vmstat: totals.not_in_vmstat,
            gup_retry: totals.gup_retry,
            ambiguous_owner: totals.ambiguous_owner,
            reconciled: adjustment.ledger,
            preexisting_reconciled: adjustment.preexisting,
            ..BalanceSampled::default()
        }
    }

    /// Of so many readings, the first in which vmstat and ledger agree, or else the one in which they come nearest to it.
    pub fn nearest<E>(
        &self,
        readings: usize,
        adjustment: Adjustment,
        mut read: impl FnMut() -> Result<Option<Reading>, E>,
    ) -> Result<Option<BalanceSampled>, E> {
        let mut nearest: Option<(u128, BalanceSampled)> = None;
        for _ in 0..readings {
            let Some(reading) = read()? else { break };
            let sample = self.sample(&reading, adjustment);
            let apart = sample.sums().difference().unsigned_abs();
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

/// The vmstat counters around a look that found so many pages pinned, which stand as the ledger.
pub fn around_scan(before: Vmstat, after: Vmstat, pinned: u64) -> BalanceSampled {
    BalanceSampled {
        vmstat_acquired: Some(after.acquired),
        vmstat_released: Some(after.released),
        in_flight: after.acquired.saturating_sub(before.acquired)
            + after.released.saturating_sub(before.released),
        ledger_acquired: pinned,
        ..BalanceSampled::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(vmstat: (u64, u64), totals: Totals) -> Reading {
        Reading {
            before: totals,
            vmstat: Vmstat {
                acquired: vmstat.0,
                released: vmstat.1,
            },
            after: totals,
        }
    }

    fn difference(baseline: Baseline, reading: &Reading) -> i128 {
        baseline
            .sample(reading, Adjustment::default())
            .sums()
            .difference()
    }

    #[test]
    fn an_idle_machine_opens_with_what_is_pinned() {
        let baseline = Baseline::from_readings(&[reading((100, 36), Totals::default())]).unwrap();
        assert_eq!(baseline.preexisting_held(), 64);
        assert_eq!(difference(baseline, &reading((100, 36), Totals::default())), 0);
    }

    #[test]
    fn a_call_in_flight_does_not_shift_the_baseline() {
        // First reading: 8 pages are in the vmstat counters, their call has not returned. Second: it has.
        let after = Totals {
            acquired: 8,
            ..Totals::default()
        };
        let readings = [reading((108, 36), Totals::default()), reading((108, 36), after)];
        assert_eq!(Baseline::from_readings(&readings).unwrap().acquired, 100);
    }

    #[test]
    fn a_release_in_flight_does_not_shift_the_baseline() {
        let seen = Totals {
            preexisting_released: 4,
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
            gup_retry: 5,
            ..Totals::default()
        };
        assert_eq!(difference(baseline, &reading((15, 5), totals)), 0);
    }

    #[test]
    fn pins_that_vmstat_counts_at_their_release_alone_count_on_both_sides() {
        let totals = |released| Totals {
            acquired: 12,
            released,
            not_in_vmstat: 8,
            ..Totals::default()
        };
        let begun = Baseline::from_readings(&[reading((104, 40), totals(0))]).unwrap();
        assert_eq!(begun.preexisting_held(), 60);
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
    fn after_a_reconciliation_the_reading_that_agrees_is_taken() {
        // The hooks have missed 4 releases for good. At the first reading a call has pinned 4 more and not returned, so
        // that vmstat and totals alone seem to agree.
        let seen = |acquired| Totals {
            acquired,
            ..Totals::default()
        };
        let mut readings = [reading((14, 4), seen(10)), reading((14, 4), seen(14))].into_iter();
        let adjustment = Adjustment {
            ledger: -4,
            preexisting: 0,
        };
        let sample = Baseline::default()
            .nearest(2, adjustment, || Ok::<_, ()>(readings.next()))
            .unwrap()
            .unwrap();
        assert_eq!(sample.ledger_acquired, 14);
        assert_eq!(sample.sums().unaccounted(), 0);
    }
}
