//! What the accounts of a ledger hold, against what the hooks' totals say is held. Pure.

use pintrace_source::ledger::Held;
use pintrace_source::truth::{Healed, Totals};

/// The hooks' totals, and then the accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// In pages.
    pub(super) totals: Totals,
    /// In pages.
    pub(super) held: Held,
}

impl Standing {
    /// Pages by which pins and releases may have told on the one and not on the other, when `later` was read next: 0 if
    /// nothing has moved.
    pub(super) fn moved(&self, later: &Self) -> u64 {
        let by = |pick: fn(&Self) -> u64| pick(self).abs_diff(pick(later));
        by(|standing| standing.totals.acquired)
            + by(|standing| standing.totals.released)
            + by(|standing| standing.totals.opening_released)
            + by(|standing| standing.held.all)
            + by(|standing| standing.held.older)
    }
}

/// Older pins that the ledger was told of, and what healing has changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// Older pins that the ledger was told of.
    pub(super) older: u64,
    healed: Healed,
}

impl Sums {
    /// What healing has added to what the totals say is held.
    pub(super) fn healed(&self) -> Healed {
        self.healed
    }

    /// Sets right what the totals say, after a healing. `moved` pages may have told on the totals and not on the
    /// accounts, or the other way: by so much it goes less far, since a pin that is only under way would be set right for
    /// good.
    pub(super) fn conclude(&mut self, opening_held: u64, standing: &Standing, moved: u64, unplaced: u64) {
        let Standing { totals, held } = standing;
        let released = self.older.saturating_sub(held.older);
        let ledger = signed(totals.acquired) - signed(totals.released) + signed(released);
        let opening = signed(opening_held) - signed(totals.opening_released) - signed(released);
        let slack = signed(moved);
        let certain = |before: i64, right: i64| before.clamp(right - slack, right + slack);
        self.healed = Healed {
            ledger: certain(
                self.healed.ledger,
                signed(held.all) - signed(held.older) + signed(unplaced) - ledger,
            ),
            opening: certain(self.healed.opening, signed(held.older) - opening),
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
            held: Held { all, older: 0 },
        }
    }

    fn concluded(first: Standing, second: Standing) -> Healed {
        let mut sums = Sums::default();
        sums.conclude(0, &first, first.moved(&second), 0);
        sums.healed()
    }

    #[test]
    fn what_the_hooks_have_missed_is_added_to_what_they_saw() {
        let still = standing(100, 20, 83);
        let missed = Healed {
            ledger: 3,
            opening: 0,
        };
        assert_eq!(concluded(still, still), missed);
        let mut sums = Sums::default();
        sums.conclude(0, &standing(100, 20, 40), 0, 35);
        assert_eq!(sums.healed().ledger, -5);
    }

    #[test]
    fn a_pin_between_totals_and_accounts_is_not_healed() {
        assert_eq!(
            concluded(standing(100, 20, 84), standing(104, 20, 84)),
            Healed::default()
        );
        // One that shows on the accounts first.
        assert_eq!(
            concluded(standing(100, 20, 84), standing(100, 20, 80)),
            Healed::default()
        );
        assert_eq!(
            concluded(standing(100, 20, 70), standing(100, 30, 70)),
            Healed::default()
        );
    }

    #[test]
    fn where_much_is_missing_and_little_moves_what_is_certain_is_healed() {
        let mut sums = Sums::default();
        let (first, second) = (standing(100, 20, 1084), standing(104, 20, 1084));
        sums.conclude(0, &first, first.moved(&second), 0);
        assert_eq!(sums.healed().ledger, 1000);
        sums.conclude(0, &standing(104, 20, 1090), 0, 0);
        assert_eq!(sums.healed().ledger, 1006);
    }

    #[test]
    fn older_pins_are_told_apart() {
        let mut sums = Sums {
            older: 64,
            ..Sums::default()
        };
        // 70 were pinned at the start; the hooks saw 4 of those that are known be released, and 1 of the others.
        let standing = Standing {
            totals: Totals {
                acquired: 10,
                released: 4,
                opening_released: 1,
                ..Totals::default()
            },
            held: Held { all: 70, older: 60 },
        };
        sums.conclude(70, &standing, 0, 0);
        let healed = Healed {
            ledger: 0,
            opening: -5,
        };
        assert_eq!(sums.healed(), healed);
    }
}
