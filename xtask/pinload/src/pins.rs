//! Counts of pins, and what a running kernel is expected to count.
//!
//! A count is one reference on one page, as `nr_foll_pin_acquired` and `nr_foll_pin_released` count. `None`
//! means that nobody has measured what this kernel does: the books must speak.

use serde::{Deserialize, Serialize};

/// Pins taken, held and given back; `None` where this kernel's behaviour is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pins {
    /// Page references taken with FOLL_PIN.
    pub(crate) acquired: Option<u64>,
    /// Page references still held.
    pub(crate) held: Option<u64>,
    /// Page references given back.
    pub(crate) released: Option<u64>,
}

impl Pins {
    /// Pins that stay: `acquired` were taken and `held` of them remain.
    pub(crate) fn lasting(acquired: Option<u64>, held: Option<u64>) -> Self {
        let released = acquired.zip(held).map(|(acquired, held)| acquired - held);
        Self {
            acquired,
            held,
            released,
        }
    }

    /// Pins that were taken and given back within one system call.
    pub(crate) fn transient(acquired: Option<u64>) -> Self {
        Self {
            acquired,
            held: Some(0),
            released: acquired,
        }
    }

    /// The same pins once all of them have been given back.
    pub(crate) fn after_release(self) -> Self {
        Self {
            acquired: self.acquired,
            held: Some(0),
            released: self.acquired,
        }
    }

    /// Whether `books` say the same wherever something was expected.
    pub(crate) fn agrees_with(self, books: Self) -> bool {
        let same = |expected: Option<u64>, counted: Option<u64>| expected.is_none() || expected == counted;
        same(self.acquired, books.acquired)
            && same(self.held, books.held)
            && same(self.released, books.released)
    }

    /// Whether nothing is left to the books.
    pub(crate) fn is_known(self) -> bool {
        self.acquired.is_some() && self.held.is_some() && self.released.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coalesced_pins_are_released_while_held() {
        let pins = Pins::lasting(Some(512), Some(1));
        assert_eq!(pins.released, Some(511));
        assert_eq!(pins.after_release(), Pins::transient(Some(512)));
    }

    #[test]
    fn an_unknown_expectation_agrees_with_any_books() {
        let books = Pins::transient(Some(7));
        assert!(Pins::transient(None).agrees_with(books));
        assert!(!Pins::transient(Some(8)).agrees_with(books));
        assert!(!Pins::lasting(None, Some(1)).agrees_with(books));
    }
}
