//! Vmstat against ledger: the sums behind `unaccounted`, in one place for whoever samples, doubts or shows them.

use super::BalanceSampled;

/// What a sample adds up to, in pages. Wide, because a forged recording may hold any numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSums {
    /// What the vmstat counters hold, with what they leave out; `None` where they cannot be read.
    pub vmstat: Option<i128>,
    /// What the ledger holds, set right after losses.
    pub ledger: i128,
    /// What is held of the pins that are taken before the start, set right likewise.
    pub preexisting: i128,
    in_flight: i128,
}

impl BalanceSampled {
    /// What it adds up to.
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
        }
    }
}

impl PageSums {
    /// What the vmstat counters hold beyond ledger and preexisting pins, also what is only under way; 0 where they cannot be read.
    pub fn difference(&self) -> i128 {
        self.vmstat
            .map_or(0, |vmstat| vmstat - self.preexisting - self.ledger)
    }

    /// The same, known only to within what was under way: the least that it can be.
    pub fn unaccounted(&self) -> i128 {
        let difference = self.difference();
        difference.signum() * (difference.abs() - self.in_flight).max(0)
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
    fn unreadable_vmstat_leaves_nothing_unaccounted() {
        let blind = BalanceSampled {
            vmstat_released: None,
            ..sample()
        };
        assert_eq!((blind.sums().vmstat, blind.sums().unaccounted()), (None, 0));
    }
}
