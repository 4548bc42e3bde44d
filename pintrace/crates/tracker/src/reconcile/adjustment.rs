//! Computes the adjustment: the pages that accounts hold, less the held pages by the hooks' totals. No I/O.

use pintrace_source::baseline::{Adjustment, Totals};
use pintrace_source::ledger::HeldPages;

/// The hooks' totals, and the accounts read next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LedgerReading {
    /// The hooks' totals.
    pub(super) totals: Totals,
    /// Pages that accounts held.
    pub(super) held: HeldPages,
}

impl LedgerReading {
    /// Returns the number of pages that were pinned or released between this reading and the next reading `later`. Such
    /// pages may be in the totals of this reading and not in its accounts, or the reverse.
    pub(super) fn moved(&self, later: &Self) -> u64 {
        let by = |pick: fn(&Self) -> u64| pick(self).abs_diff(pick(later));
        by(|reading| reading.totals.acquired)
            + by(|reading| reading.totals.released)
            + by(|reading| reading.totals.preexisting_released)
            + by(|reading| reading.held.all)
            + by(|reading| reading.held.preexisting)
    }
}

/// The adjustment of the totals by all reconciliations so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Adjuster {
    /// Pages of preexisting pins that were added to the ledger.
    pub(super) preexisting: u64,
    adjustment: Adjustment,
}

impl Adjuster {
    /// Returns the current adjustment.
    pub(super) fn adjustment(&self) -> Adjustment {
        self.adjustment
    }

    /// Updates the adjustment after a reconciliation. `moved` is the result of [`LedgerReading::moved`]. The adjustment
    /// changes no more than is certain and may stay wrong by up to `moved` pages: an adjustment for a pin in flight would
    /// be permanent.
    pub(super) fn conclude(
        &mut self,
        preexisting_held: u64,
        reading: &LedgerReading,
        moved: u64,
        not_in_ledger: u64,
    ) {
        let LedgerReading { totals, held } = reading;
        let released = self.preexisting.saturating_sub(held.preexisting);
        let ledger = signed(totals.acquired) - signed(totals.released) + signed(released);
        let preexisting = signed(preexisting_held) - signed(totals.preexisting_released) - signed(released);
        let slack = signed(moved);
        let certain = |before: i64, exact: i64| before.clamp(exact - slack, exact + slack);
        self.adjustment = Adjustment {
            ledger: certain(
                self.adjustment.ledger,
                signed(held.all) - signed(held.preexisting) + signed(not_in_ledger) - ledger,
            ),
            preexisting: certain(
                self.adjustment.preexisting,
                signed(held.preexisting) - preexisting,
            ),
        };
    }
}

fn signed(pages: u64) -> i64 {
    // An eighth of the range of i64, so that sums of a few values do not overflow.
    i64::try_from(pages).unwrap_or(i64::MAX).min(i64::MAX / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(acquired: u64, released: u64, all: u64) -> LedgerReading {
        LedgerReading {
            totals: Totals {
                acquired,
                released,
                ..Totals::default()
            },
            held: HeldPages { all, preexisting: 0 },
        }
    }

    fn concluded(first: LedgerReading, second: LedgerReading) -> Adjustment {
        let mut adjuster = Adjuster::default();
        adjuster.conclude(0, &first, first.moved(&second), 0);
        adjuster.adjustment()
    }

    #[test]
    fn missed_pages_are_added_to_the_totals() {
        let quiet = reading(100, 20, 83);
        let missed = Adjustment {
            ledger: 3,
            preexisting: 0,
        };
        assert_eq!(concluded(quiet, quiet), missed);
        let mut adjuster = Adjuster::default();
        adjuster.conclude(0, &reading(100, 20, 40), 0, 35);
        assert_eq!(adjuster.adjustment().ledger, -5);
    }

    #[test]
    fn a_pin_between_totals_and_accounts_is_not_adjusted() {
        assert_eq!(
            concluded(reading(100, 20, 84), reading(104, 20, 84)),
            Adjustment::default()
        );
        // A pin that reaches the accounts before the totals.
        assert_eq!(
            concluded(reading(100, 20, 84), reading(100, 20, 80)),
            Adjustment::default()
        );
        assert_eq!(
            concluded(reading(100, 20, 70), reading(100, 30, 70)),
            Adjustment::default()
        );
    }

    #[test]
    fn only_the_certain_part_is_adjusted_while_pins_move() {
        let mut adjuster = Adjuster::default();
        let (first, second) = (reading(100, 20, 1084), reading(104, 20, 1084));
        adjuster.conclude(0, &first, first.moved(&second), 0);
        assert_eq!(adjuster.adjustment().ledger, 1000);
        adjuster.conclude(0, &reading(104, 20, 1090), 0, 0);
        assert_eq!(adjuster.adjustment().ledger, 1006);
    }

    #[test]
    fn preexisting_pins_have_an_adjustment_apart() {
        let mut adjuster = Adjuster {
            preexisting: 64,
            ..Adjuster::default()
        };
        // 70 pages were pinned at the start, and 64 of them are in the ledger. The hooks saw the release of 4 pages of
        // the ledger, and of 1 page that is not in the ledger.
        let reading = LedgerReading {
            totals: Totals {
                acquired: 10,
                released: 4,
                preexisting_released: 1,
                ..Totals::default()
            },
            held: HeldPages {
                all: 70,
                preexisting: 60,
            },
        };
        adjuster.conclude(70, &reading, 0, 0);
        let adjustment = Adjustment {
            ledger: 0,
            preexisting: -5,
        };
        assert_eq!(adjuster.adjustment(), adjustment);
    }
}
