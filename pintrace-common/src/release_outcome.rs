//! The result of taking pins off a folio, packed into one number, because a global function returns one number.

/// The result of taking pins off a folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseOutcome(pub u64);

#[expect(
    clippy::inline_always,
    reason = "the hooks must not pay a call for a shift and a mask"
)]
impl ReleaseOutcome {
    /// Flag: one owner had all the pins, and still has to be debited. The upper half of the word holds the owner.
    const OWED: u64 = 1 << 31;
    /// Flag: the owner has no pins left on the folio.
    const EMPTIED: u64 = 1 << 30;
    /// Mask of the number of pins without an owner.
    const LEFT: u64 = Self::EMPTIED - 1;

    /// Returns the result for `pins` pins without an owner.
    #[inline(always)]
    #[must_use]
    pub fn unknown(pins: u64) -> Self {
        Self(if pins > Self::LEFT { Self::LEFT } else { pins })
    }

    /// Returns the result for one owner that had all the pins. `emptied` means that the owner has no pins left on the
    /// folio.
    #[inline(always)]
    #[must_use]
    pub fn owed_by(owner: u32, emptied: bool) -> Self {
        let emptied = if emptied { Self::EMPTIED } else { 0 };
        Self(u64::from(owner) << 32 | Self::OWED | emptied)
    }

    /// Returns the number of pins without an owner.
    #[inline(always)]
    pub fn left(self) -> u64 {
        self.0 & Self::LEFT
    }

    /// Returns the owner that still has to be debited with all the pins.
    #[inline(always)]
    pub fn debtor(self) -> Option<u32> {
        if self.0 & Self::OWED == 0 {
            return None;
        }
        Some((self.0 >> 32) as u32)
    }

    /// Returns true if that owner has no pins left on the folio.
    #[inline(always)]
    pub fn emptied(self) -> bool {
        self.0 & Self::EMPTIED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_without_an_owner_have_no_debtor() {
        let outcome = ReleaseOutcome::unknown(7);
        assert_eq!(
            (outcome.left(), outcome.debtor(), outcome.emptied()),
            (7, None, false)
        );
    }

    #[test]
    fn a_pin_count_is_capped_below_the_flags() {
        let outcome = ReleaseOutcome::unknown(u64::MAX);
        assert_eq!(
            (outcome.left(), outcome.debtor(), outcome.emptied()),
            ((1 << 30) - 1, None, false)
        );
    }

    #[test]
    fn an_owner_with_all_bits_set_is_returned_unchanged() {
        for emptied in [false, true] {
            let outcome = ReleaseOutcome::owed_by(u32::MAX, emptied);
            assert_eq!(
                (outcome.left(), outcome.debtor(), outcome.emptied()),
                (0, Some(u32::MAX), emptied)
            );
        }
    }
}
