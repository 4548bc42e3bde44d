//! What the accounts of a ledger hold, against what the hooks' totals say is held. Pure.

use pintrace_source::baseline::{Adjustment, Totals};
use pintrace_source::ledger::HeldPages;

/// The hooks' totals, and then the accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// In pages.
    pub(super) totals: Totals,
    /// In pages.
    pub(super) held: HeldPages,
}

impl Standing {
    /// Pages by which pins and releases may have told on the one and not on the other, when `later` was read next: 0 if
    /// nothing has moved.
    pub(super) fn moved(&self, later: &Self) -> u64 {
        let by = |pick: fn(&Self) -> u64| pick(self).abs_diff(pick(later));
        by(|standing| standing.totals.acquired)
            + by(|standing| standing.totals.released)
            + by(|standing| standing.totals.preexisting_released)
            + by(|standing| standing.held.all)
            + by(|standing| standing.held.preexisting)
    }
}

/// Preexisting pins that the ledger was told of, and what healing has changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Adjuster {
    /// Preexisting pins that the ledger was told of.
    pub(super) preexisting: u64,
    adjustment: Adjustment,
}

impl Adjuster {
    /// What healing has added to what the totals say is held.
    pub(super) fn adjustment(&self) -> Adjustment {
        self.adjustment
    }

    /// Sets right what the totals say, after a healing. `moved` pages may have told on the totals and not on the
    /// accounts, or the other way: by so much it goes less far, since a pin that is only under way would be set right for
    /// good.
    pub(super) fn conclude(
        &mut self,
        preexisting_held: u64,
        standing: &Standing,
        moved: u64,
        not_in_ledger: u64,
    ) {
        let Standing { totals, held } = standing;
        let released = self.preexisting.saturating_sub(held.preexisting);
        let ledger = signed(totals.acquired) - signed(totals.released) + signed(released);
        let preexisting = signed(preexisting_held) - signed(totals.preexisting_released) - signed(released);
        let slack = signed(moved);
        let certain = |before: i64, right: i64| before.clamp(right - slack, right + slack);
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
    // Half of what there is, so that sums of a few do not overflow.
    i64::try_from(pages).unwrap_or(i64::MAX).min(i64::MAX / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(acquired: u64, released: u64, all: u64) -> Standing {
        Standing {
            totals: Totals {
                acquired,
                released,
                ..Totals::default()
            },
            held: HeldPages { all, preexisting: 0 },
        }
    }

    fn concluded(first: Standing, second: Standing) -> Adjustment {
        let mut adjuster = Adjuster::default();
        adjuster.conclude(0, &first, first.moved(&second), 0);
        adjuster.adjustment()
    }

    #[test]
    fn missed_pages_are_added_to_seen_pages() {
        let still = standing(100, 20, 83);
        let missed = Adjustment {
            ledger: 3,
            preexisting: 0,
        };
        assert_eq!(concluded(still, still), missed);
        let mut adjuster = Adjuster::default();
        adjuster.conclude(0, &standing(100, 20, 40), 0, 35);
        assert_eq!(adjuster.adjustment().ledger, -5);
    }

    #[test]
    fn a_pin_between_totals_and_accounts_is_not_adjusted() {
        assert_eq!(
            concluded(standing(100, 20, 84), standing(104, 20, 84)),
            Adjustment::default()
        );
        // One that shows on the accounts first.
        assert_eq!(
            concluded(standing(100, 20, 84), standing(100, 20, 80)),
            Adjustment::default()
        );
        assert_eq!(
            concluded(standing(100, 20, 70), standing(100, 30, 70)),
            Adjustment::default()
        );
    }

    #[test]
    fn only_the_certain_part_is_adjusted_while_pins_move() {
        let mut adjuster = Adjuster::default();
        let (first, second) = (standing(100, 20, 1084), standing(104, 20, 1084));
        adjuster.conclude(0, &first, first.moved(&second), 0);
        assert_eq!(adjuster.adjustment().ledger, 1000);
        adjuster.conclude(0, &standing(104, 20, 1090), 0, 0);
        assert_eq!(adjuster.adjustment().ledger, 1006);
    }

    #[test]
    fn preexisting_pins_are_told_apart() {
        let mut adjuster = Adjuster {
            preexisting: 64,
            ..Adjuster::default()
        };
        // 70 were pinned at the start; the hooks saw 4 of those that are known be released, and 1 of the others.
        let standing = Standing {
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
        adjuster.conclude(70, &standing, 0, 0);
        let adjustment = Adjustment {
            ledger: 0,
            preexisting: -5,
        };
        assert_eq!(adjuster.adjustment(), adjustment);
    }
}
