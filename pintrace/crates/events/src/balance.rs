//! The vmstat counters against the ledger: the sums that give `unaccounted`.

use serde::{Deserialize, Serialize};

/// The vmstat counters and the ledger at one moment. All fields but `preexisting_held` count since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceSampled {
    /// `nr_foll_pin_acquired` since the start, after a `stat_refresh`; `None` where it cannot be read.
    pub vmstat_acquired: Option<u64>,
    /// `nr_foll_pin_released` since the start.
    pub vmstat_released: Option<u64>,
    /// Pages that were pinned at the start, by the vmstat counters.
    pub preexisting_held: u64,
    /// Pages that the hooks saw pinned.
    pub ledger_acquired: u64,
    /// Pages that the hooks saw released whose pin was in the ledger.
    pub ledger_released: u64,
    /// Pages that the hooks saw released whose pin was taken before the start.
    pub preexisting_released: u64,
    /// Pages that the hooks saw released whose pin was taken since the start and seen by no hook: the pin call was lost.
    #[serde(default)]
    pub lost_pin_released: u64,
    /// Pages that the hooks saw pinned and that vmstat counts when they are released, but not when they are acquired
    /// (`folio_add_pin`, mm/gup.c).
    pub not_in_vmstat: u64,
    /// Pages that a pin call pinned and released again before it returned.
    pub gup_retry: u64,
    /// Pages released from a folio of several owners: a rule chose the owner.
    pub ambiguous_owner: u64,
    /// Pages of pins taken before the start that are still held and whose owner is known.
    pub preexisting_attributed: u64,
    /// Pages that reconciliations added to the ledger's held pages; negative if reconciliations removed pages.
    pub reconciled: i64,
    /// Pages that reconciliations added to the pages held by preexisting pins; negative if removed. The hooks take a
    /// release for that of a preexisting pin if the pin is not in the ledger.
    pub preexisting_reconciled: i64,
    /// Pages that reconciliation has added or removed since the start.
    pub reconciled_pages: u64,
    /// Pages that long-term pin calls in flight ask for. vmstat has counted those that the calls have pinned so far; the
    /// ledger counts them when the calls return.
    #[serde(default)]
    pub wanted_in_flight: u64,
    /// Pages pinned or released while vmstat and ledger were sampled. The difference of vmstat and ledger is known only
    /// to within `in_flight` pages.
    pub in_flight: u64,
}

/// Held pages by vmstat and by the ledger, as `i128` because a forged recording may contain any numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSums {
    /// Pages held by the vmstat counters, `not_in_vmstat` included; `None` where the counters cannot be read.
    pub vmstat: Option<i128>,
    /// Pages held by the ledger, reconciled after losses.
    pub ledger: i128,
    /// Pages held by pins taken before the start, reconciled after losses.
    pub preexisting: i128,
    in_flight: i128,
    wanted_in_flight: i128,
}

impl BalanceSampled {
    /// Separates the releases of pins that were lost from those of preexisting pins. To the hooks both are releases
    /// without an owner, but no more than `most` such pages can be of preexisting pins. The sums stay the same.
    pub fn separate_lost_pins(&mut self, most: u64) {
        let lost = self.preexisting_released.saturating_sub(most);
        self.preexisting_released -= lost;
        self.lost_pin_released += lost;
        self.preexisting_reconciled = self
            .preexisting_reconciled
            .saturating_sub(i64::try_from(lost).unwrap_or(i64::MAX));
    }

    /// Returns the held pages of this sample.
    pub fn sums(&self) -> PageSums {
        let wide = |count: u64| i128::from(count);
        let preexisting = wide(self.preexisting_held);
        let vmstat = self.vmstat_acquired.zip(self.vmstat_released);
        PageSums {
            vmstat: vmstat.map(|(acquired, released)| {
                preexisting + wide(acquired) + wide(self.not_in_vmstat) - wide(released)
            }),
            ledger: wide(self.ledger_acquired) - wide(self.ledger_released) + i128::from(self.reconciled),
            preexisting: preexisting - wide(self.preexisting_released)
                + i128::from(self.preexisting_reconciled),
            in_flight: wide(self.in_flight),
            wanted_in_flight: wide(self.wanted_in_flight),
        }
    }
}

impl PageSums {
    /// Returns the pages that vmstat holds beyond the ledger and the preexisting pins, pages in flight included.
    /// Returns 0 where vmstat cannot be read.
    pub fn difference(&self) -> i128 {
        self.vmstat
            .map_or(0, |vmstat| vmstat - self.preexisting - self.ledger)
    }

    /// Returns the difference less the pages in flight: the least difference that the pages in flight allow.
    pub fn unaccounted(&self) -> i128 {
        let difference = self.difference();
        // Calls in flight can only make vmstat greater.
        let explained = if difference > 0 {
            self.in_flight + self.wanted_in_flight
        } else {
            self.in_flight
        };
        difference.signum() * (difference.abs() - explained).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BalanceSampled {
        BalanceSampled {
            vmstat_acquired: Some(110),
            vmstat_released: Some(40),
            preexisting_held: 20,
            ledger_acquired: 110,
            ledger_released: 35,
            preexisting_released: 5,
            ..BalanceSampled::default()
        }
    }

    #[test]
    fn reconciled_pages_are_part_of_held_pages() {
        assert_eq!(sample().sums().difference(), 0);
        let reconciled = BalanceSampled {
            ledger_acquired: 100,
            reconciled: 10,
            preexisting_released: 8,
            preexisting_reconciled: 3,
            ..sample()
        };
        let sums = reconciled.sums();
        assert_eq!((sums.ledger, sums.preexisting), (75, 15));
        assert_eq!(sums.difference(), 0);
    }

    #[test]
    fn releases_beyond_the_preexisting_pins_are_those_of_lost_pins() {
        let mut separated = BalanceSampled {
            preexisting_released: 25,
            ..sample()
        };
        let before = separated.sums();
        separated.separate_lost_pins(20);
        assert_eq!(
            (separated.preexisting_released, separated.lost_pin_released),
            (20, 5)
        );
        assert_eq!(separated.sums(), before);
        separated.separate_lost_pins(20);
        assert_eq!(separated.lost_pin_released, 5);
    }

    #[test]
    fn pages_in_flight_are_not_unaccounted() {
        let late = |in_flight| BalanceSampled {
            ledger_acquired: 107,
            in_flight,
            ..sample()
        };
        assert_eq!(late(2).sums().unaccounted(), 1);
        assert_eq!(late(4).sums().unaccounted(), 0);
        let early = BalanceSampled {
            ledger_acquired: 113,
            in_flight: 1,
            ..sample()
        };
        assert_eq!(early.sums().unaccounted(), -2);
    }

    #[test]
    fn pages_of_a_pin_call_that_has_not_returned_are_not_unaccounted() {
        let of_call = |acquired, ledger_acquired| BalanceSampled {
            vmstat_acquired: Some(acquired),
            ledger_acquired,
            wanted_in_flight: 512,
            ..sample()
        };
        assert_eq!(of_call(110 + 512, 110).sums().unaccounted(), 0);
        assert_eq!(of_call(110 + 513, 110).sums().unaccounted(), 1);
        assert_eq!(of_call(110, 111).sums().unaccounted(), -1);
    }

    #[test]
    fn unreadable_vmstat_leaves_nothing_unaccounted() {
        let unreadable = BalanceSampled {
            vmstat_released: None,
            ..sample()
        };
        assert_eq!(
            (unreadable.sums().vmstat, unreadable.sums().unaccounted()),
            (None, 0)
        );
    }
}
