//! Counts of pins, and the counts to expect on a kernel.
//!
//! The unit is one reference on one page, as in `nr_foll_pin_acquired` and `nr_foll_pin_released`. `None` means that
//! the behaviour of this kernel has not been measured; then only /proc/vmstat has the count.

use serde::{Deserialize, Serialize};

/// Pins acquired, held and released; `None` if the behaviour of this kernel is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PinCounts {
    /// Page references taken with FOLL_PIN.
    pub(crate) acquired: Option<u64>,
    /// Page references still held.
    pub(crate) held: Option<u64>,
    /// Page references dropped.
    pub(crate) released: Option<u64>,
}

impl PinCounts {
    /// Returns the counts of lasting pins: `acquired` pins were taken and `held` pins remain.
    pub(crate) fn lasting(acquired: Option<u64>, held: Option<u64>) -> Self {
        let released = acquired.zip(held).map(|(acquired, held)| acquired - held);
        Self {
            acquired,
            held,
            released,
        }
    }

    /// Returns the counts of pins that one system call takes and releases.
    pub(crate) fn transient(acquired: Option<u64>) -> Self {
        Self {
            acquired,
            held: Some(0),
            released: acquired,
        }
    }

    /// Returns the counts of the same pins after the release of all pins.
    pub(crate) fn after_release(self) -> Self {
        Self {
            acquired: self.acquired,
            held: Some(0),
            released: self.acquired,
        }
    }

    /// Returns true if `vmstat` has all expected counts.
    pub(crate) fn agrees_with(self, vmstat: Self) -> bool {
        let same = |expected: Option<u64>, counted: Option<u64>| expected.is_none() || expected == counted;
        same(self.acquired, vmstat.acquired)
            && same(self.held, vmstat.held)
            && same(self.released, vmstat.released)
    }

    /// Returns true if all three counts are known.
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
