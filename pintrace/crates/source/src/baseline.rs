//! Compares the vmstat counters with the ledger: finds the vmstat values at the moment when the hooks began to count,
//! and estimates the difference that arises because vmstat and ledger cannot be read at the same instant. Calls that have
//! not returned are handled by repeated readings ([`Baseline::nearest`]).

use pintrace_events::BalanceSampled;

use pintrace_kernel::vmstat::Vmstat;

/// The hooks' running totals since the start, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Pages pinned.
    pub acquired: u64,
    /// Pages released whose pin was in the ledger.
    pub released: u64,
    /// Pages released whose pin was taken before the start.
    pub preexisting_released: u64,
    /// Pages pinned once more by `folio_add_pin`, which vmstat does not count as acquired.
    pub not_in_vmstat: u64,
    /// Pages pinned and dropped again inside one pin call.
    pub gup_retry: u64,
    /// Pages released from a folio of several owners: a rule chose the owner.
    pub ambiguous_owner: u64,
}

/// The vmstat counters, and the hooks' totals read before and after them.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Totals read before vmstat.
    pub before: Totals,
    /// The vmstat counters.
    pub vmstat: Vmstat,
    /// Pages that the long-term calls in flight ask for, read after vmstat and before `after`.
    pub wanted_in_flight: u64,
    /// Totals read after vmstat.
    pub after: Totals,
}

impl Reading {
    /// Returns true if the hooks counted nothing between the two readings of the totals.
    pub fn is_quiet(&self) -> bool {
        self.before == self.after
    }

    /// Returns the pages that the hooks counted between the two readings of the totals.
    fn counted_between(&self) -> u64 {
        let moved = |pick: fn(&Totals) -> u64| pick(&self.after).saturating_sub(pick(&self.before));
        moved(|t| t.acquired) + moved(|t| t.released) + moved(|t| t.preexisting_released)
    }
}

/// Pages that reconciliations added to acquired minus released; negative if reconciliations removed pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjustment {
    /// Adjustment of pins taken since the start.
    pub ledger: i64,
    /// Adjustment of preexisting pins.
    pub preexisting: i64,
}

/// The values of the vmstat counters at the moment when the hooks began to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// `nr_foll_pin_acquired` at that moment.
    pub acquired: u64,
    /// `nr_foll_pin_released` at that moment.
    pub released: u64,
}

impl Baseline {
    /// Computes the baseline from readings taken soon after the start. Returns `None` without a reading.
    ///
    /// The kernel counts a pin in vmstat before the pin call returns to the hook. So the hooks' total that was read before
    /// vmstat can only be behind `nr_foll_pin_acquired`: the least difference is the baseline. The hook counts a release
    /// before the kernel counts the release in vmstat. So the hooks' total that was read after vmstat can only be ahead of
    /// `nr_foll_pin_released`: the greatest difference is the baseline. If any reading is quiet, only quiet readings count.
    pub fn from_readings(readings: &[Reading]) -> Option<Self> {
        let quiet: Vec<_> = readings.iter().filter(|reading| reading.is_quiet()).collect();
        let chosen = if quiet.is_empty() {
            readings.iter().collect()
        } else {
            quiet
        };
        let acquired = chosen.iter().map(|reading| {
            let totals = &reading.before;
            let seen = (totals.acquired + totals.gup_retry).saturating_sub(totals.not_in_vmstat);
            reading.vmstat.acquired.saturating_sub(seen)
        });
        let released = chosen.iter().map(|reading| {
            let totals = &reading.after;
            let seen = totals.released + totals.preexisting_released + totals.gup_retry;
            reading.vmstat.released.saturating_sub(seen)
        });
        Some(Self {
            acquired: acquired.min()?,
            released: released.max()?,
        })
    }

    /// Returns the number of pages that were pinned at the start.
    pub fn preexisting_held(&self) -> u64 {
        self.acquired.saturating_sub(self.released)
    }

    /// Returns true if as many pages were released as acquired. More released pages mean pins that vmstat has not counted
    /// (`folio_add_pin`), and then others may be held.
    pub fn shows_no_pins(&self) -> bool {
        self.acquired == self.released
    }

    /// Returns the balance of a reading.
    pub fn sample(&self, reading: &Reading, adjustment: Adjustment) -> BalanceSampled {
        BalanceSampled {
            vmstat_acquired: Some(reading.vmstat.acquired.saturating_sub(self.acquired)),
            vmstat_released: Some(reading.vmstat.released.saturating_sub(self.released)),
            in_flight: reading.counted_between(),
            wanted_in_flight: reading.wanted_in_flight,
            ..Self::without_vmstat(self.preexisting_held(), reading.after, adjustment)
        }
    }

    /// Returns the balance on a kernel whose vmstat counters cannot be read.
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

    /// Takes up to `readings` readings. Returns the balance of the first reading in which vmstat and ledger agree, or
    /// else the balance with the least difference; `None` if the first call of `read` returns none.
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
            let difference = sample.sums().difference().unsigned_abs();
            if nearest.as_ref().is_none_or(|(least, _)| difference < *least) {
                nearest = Some((difference, sample));
            }
            // A long call stays in flight at every reading.
            if difference == 0 || reading.wanted_in_flight != 0 && sample.sums().unaccounted() == 0 {
                break;
            }
        }
        Ok(nearest.map(|(_, sample)| sample))
    }
}

/// Returns the balance of a memory scan: `before` and `after` are the vmstat counters around the scan, and the `pinned`
/// pages that the scan found take the place of the ledger. The vmstat fields of the result count since boot.
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
            wanted_in_flight: 0,
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
    fn on_an_idle_machine_the_preexisting_pages_are_acquired_minus_released() {
        let baseline = Baseline::from_readings(&[reading((100, 36), Totals::default())]).unwrap();
        assert_eq!(baseline.preexisting_held(), 64);
        assert_eq!(difference(baseline, &reading((100, 36), Totals::default())), 0);
    }

    #[test]
    fn a_call_in_flight_does_not_shift_the_baseline() {
        // The pin call of the 8 pages in vmstat has not returned at the first reading, and has at the second.
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
    fn calls_between_the_readings_do_not_shift_the_baseline() {
        // 8 pages are pinned after vmstat is read, 4 are released before.
        let busy = Reading {
            after: Totals {
                acquired: 8,
                preexisting_released: 4,
                ..Totals::default()
            },
            ..reading((100, 40), Totals::default())
        };
        let baseline = Baseline::from_readings(&[busy]).unwrap();
        assert_eq!((baseline.acquired, baseline.released), (100, 36));
    }

    #[test]
    fn gup_retries_count_in_vmstat_and_in_the_totals() {
        let baseline = Baseline::default();
        let totals = Totals {
            acquired: 10,
            gup_retry: 5,
            ..Totals::default()
        };
        assert_eq!(difference(baseline, &reading((15, 5), totals)), 0);
    }

    #[test]
    fn pins_that_vmstat_counts_only_at_their_release_leave_no_difference() {
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
    fn a_missed_release_shows_as_a_difference() {
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
        // The hooks have missed 4 releases. At the first reading a call has pinned 4 more pages and not returned, so
        // vmstat and the unadjusted totals seem to agree.
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
