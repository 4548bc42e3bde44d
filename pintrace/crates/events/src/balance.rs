//! Books against ledger: the sums behind `unaccounted`, in one place for whoever samples, doubts or shows them.

use super::TruthSampled;

/// What a sample adds up to, in pages. Wide, because a forged recording may hold any numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// What the books hold, with what they leave out; `None` where they cannot be read.
    pub books: Option<i128>,
    /// What the ledger holds, set right after losses.
    pub ledger: i128,
    /// What is held of the pins that are older than the start, set right likewise.
    pub opening: i128,
    in_flight: i128,
}

impl TruthSampled {
    /// What it adds up to.
    pub fn balance(&self) -> Balance {
        let wide = |count: u64| i128::from(count);
        let opening = wide(self.opening_held);
        let books = self.books_acquired.zip(self.books_released);
        Balance {
            books: books
                .map(|(acquired, released)| opening + wide(acquired) + wide(self.unbooked) - wide(released)),
            ledger: wide(self.ledger_acquired) - wide(self.ledger_released) + i128::from(self.healed),
            opening: opening - wide(self.opening_released) + i128::from(self.opening_healed),
            in_flight: wide(self.in_flight),
        }
    }
}

impl Balance {
    /// What the books hold beyond ledger and older pins, also what is only under way; 0 where they cannot be read.
    pub fn difference(&self) -> i128 {
        self.books.map_or(0, |books| books - self.opening - self.ledger)
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

    fn sample() -> TruthSampled {
        TruthSampled {
            books_acquired: Some(110),
            books_released: Some(40),
            opening_held: 20,
            ledger_acquired: 110,
            ledger_released: 35,
            opening_released: 5,
            ..TruthSampled::default()
        }
    }

    #[test]
    fn what_was_healed_is_part_of_what_is_held() {
        assert_eq!(sample().balance().difference(), 0);
        let healed = TruthSampled {
            ledger_acquired: 100,
            healed: 10,
            opening_released: 8,
            opening_healed: 3,
            ..sample()
        };
        let balance = healed.balance();
        assert_eq!((balance.ledger, balance.opening), (75, 15));
        assert_eq!(balance.difference(), 0);
    }

    #[test]
    fn what_is_under_way_is_not_unaccounted() {
        let late = |in_flight| TruthSampled {
            ledger_acquired: 107,
            in_flight,
            ..sample()
        };
        assert_eq!(late(2).balance().unaccounted(), 1);
        assert_eq!(late(4).balance().unaccounted(), 0);
        let early = TruthSampled {
            ledger_acquired: 113,
            in_flight: 1,
            ..sample()
        };
        assert_eq!(early.balance().unaccounted(), -2);
    }

    #[test]
    fn unreadable_books_leave_nothing_unaccounted() {
        let blind = TruthSampled {
            books_released: None,
            ..sample()
        };
        assert_eq!((blind.balance().books, blind.balance().unaccounted()), (None, 0));
    }
}
