//! Counts of pins, and what a running kernel is expected to count.
//!
//! A count is one reference on one page, as `nr_foll_pin_acquired` and `nr_foll_pin_released` count. `None`
//! means that nobody has measured what this kernel does: the books must speak.

use serde::{Deserialize, Serialize};

/// PinCounts taken, held and given back; `None` where this kernel's behaviour is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PinCounts {
    /// Page references taken with FOLL_PIN.
    pub(crate) acquired: Option<u64>,
    /// Page references still held.
    pub(crate) held: Option<u64>,
    /// Page references given back.
    pub(crate) released: Option<u64>,
}

impl PinCounts {
    /// PinCounts that hold: `acquired` were taken and `held` of them remain.
    pub(crate) fn lasting(acquired: Option<u64>, held: Option<u64>) -> Self {
        let released = acquired.zip(held).map(|(acquired, held)| acquired - held);
        Self {
            acquired,
            held,
            released,
        }
    }

    /// PinCounts that were taken and given back within one system call.
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
    pub(crate) fn agrees_with(self, vmstat: Self) -> bool {
        let same = |expected: Option<u64>, counted: Option<u64>| expected.is_none() || expected == counted;
        same(self.acquired, vmstat.acquired)
            && same(self.held, vmstat.held)
            && same(self.released, vmstat.released)
    }

    /// Whether nothing is left to the vmstat.
    pub(crate) fn is_known(self) -> bool {
        self.acquired.is_some() && self.held.is_some() && self.released.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coalesced_pins_are_released_while_held() {
        let pins = PinCounts::lasting(Some(512), Some(1));
        assert_eq!(pins.released, Some(511));
        assert_eq!(pins.after_release(), PinCounts::transient(Some(512)));
    }

    #[test]
    fn an_unknown_expectation_agrees_with_any_counters() {
        let vmstat = PinCounts::transient(Some(7));
        assert!(PinCounts::transient(None).agrees_with(vmstat));
        assert!(!PinCounts::transient(Some(8)).agrees_with(vmstat));
        assert!(!PinCounts::lasting(None, Some(1)).agrees_with(vmstat));
    }
}
