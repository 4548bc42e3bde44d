//! The result of taking pins off a folio, packed into one number, because a global function returns one number.

/// The result of taking pins off a folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseOutcome(pub u64);

#[expect(
    clippy::inline_always,
    reason = "the hooks must not pay a call for a shift and a mask"
)]
impl ReleaseOutcome {
    /// Flag: one owner had all released pins, and the caller still has to subtract them from the owner. The upper half of
    /// the word holds the owner.
    const OWNER_TO_DEBIT: u64 = 1 << 31;
    /// Flag: the owner has no pins left on the folio.
    const OWNER_EMPTIED: u64 = 1 << 30;
    /// Mask of the number of pins without an owner.
    const WITHOUT_OWNER: u64 = Self::OWNER_EMPTIED - 1;

    /// Returns the result of a release for which no owner is left to debit: `pins` of the released pins had no owner.
    #[inline(always)]
    #[must_use]
    pub fn without_owner_to_debit(pins: u64) -> Self {
        Self(if pins > Self::WITHOUT_OWNER {
            Self::WITHOUT_OWNER
        } else {
            pins
        })
    }

    /// Returns the result for one owner that had all released pins. `emptied` means that the owner has no pins left on the
    /// folio.
    #[inline(always)]
    #[must_use]
    pub fn single_owner(owner: u32, emptied: bool) -> Self {
        let emptied = if emptied { Self::OWNER_EMPTIED } else { 0 };
        Self(u64::from(owner) << 32 | Self::OWNER_TO_DEBIT | emptied)
    }

    /// Returns the number of released pins without an owner.
    #[inline(always)]
    pub fn without_owner(self) -> u64 {
        self.0 & Self::WITHOUT_OWNER
    }

    /// Returns the owner from which the caller still has to subtract all released pins.
    #[inline(always)]
    pub fn owner_to_debit(self) -> Option<u32> {
        if self.0 & Self::OWNER_TO_DEBIT == 0 {
            return None;
        }
        Some((self.0 >> 32) as u32)
    }

    /// Returns true if the owner of [`Self::owner_to_debit`] has no pins left on the folio.
    #[inline(always)]
    pub fn emptied(self) -> bool {
        self.0 & Self::OWNER_EMPTIED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_without_an_owner_debit_no_owner() {
        let outcome = ReleaseOutcome::without_owner_to_debit(7);
        assert_eq!(
            (
                outcome.without_owner(),
                outcome.owner_to_debit(),
                outcome.emptied()
            ),
            (7, None, false)
        );
    }

    #[test]
    fn a_pin_count_is_capped_below_the_flags() {
        let outcome = ReleaseOutcome::without_owner_to_debit(u64::MAX);
        assert_eq!(
            (
                outcome.without_owner(),
                outcome.owner_to_debit(),
                outcome.emptied()
            ),
            ((1 << 30) - 1, None, false)
        );
    }

    #[test]
    fn an_owner_with_all_bits_set_is_returned_unchanged() {
        for emptied in [false, true] {
            let outcome = ReleaseOutcome::single_owner(u32::MAX, emptied);
            assert_eq!(
                (
                    outcome.without_owner(),
                    outcome.owner_to_debit(),
                    outcome.emptied()
                ),
                (0, Some(u32::MAX), emptied)
            );
        }
    }
}
