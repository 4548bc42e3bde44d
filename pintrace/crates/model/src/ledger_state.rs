//! Whether the held pages of the ledger are certain. A release that no hook saw leaves its pages in the ledger until a
//! reconciliation removes them.

use std::collections::BTreeMap;

use pintrace_common::counters::Loss;
use pintrace_events::BalanceSampled;

/// Whether the ledger may hold pages that have been released.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LedgerState {
    /// A loss was counted, or the ledger held more pages than vmstat, and no later balance was 0.
    pub(crate) uncertain: bool,
    /// The losses so far that falsify the ledger.
    lost: u64,
}

impl LedgerState {
    /// Takes the latest balance. A balance without vmstat shows nothing.
    pub(crate) fn balance(&mut self, sample: &BalanceSampled) {
        let sums = sample.sums();
        if sums.vmstat.is_none() {
            return;
        }
        let unaccounted = sums.unaccounted();
        self.uncertain = unaccounted < 0 || self.uncertain && unaccounted != 0;
    }

    /// Takes the latest losses.
    pub(crate) fn losses(&mut self, sample: &BTreeMap<String, u64>) {
        let of_ledger = Loss::OF_LEDGER.iter();
        let lost = of_ledger
            .filter_map(|loss| sample.get(loss.name()))
            .fold(0, |sum: u64, count| sum.saturating_add(*count));
        self.uncertain |= lost > self.lost;
        self.lost = self.lost.max(lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unaccounted(pages: i64) -> BalanceSampled {
        BalanceSampled {
            vmstat_acquired: Some(100),
            vmstat_released: Some(0),
            ledger_acquired: 100_u64.checked_add_signed(-pages).unwrap(),
            ..BalanceSampled::default()
        }
    }

    fn lost(loss: Loss, count: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([(loss.name().to_owned(), count)])
    }

    #[test]
    fn the_ledger_is_uncertain_from_a_loss_to_a_balance_of_zero() {
        let mut state = LedgerState::default();
        state.losses(&lost(Loss::NameUnread, 5));
        assert!(!state.uncertain, "no page is lost with a name");
        state.losses(&lost(Loss::RecursionMissed, 5));
        state.balance(&unaccounted(3));
        assert!(state.uncertain);
        state.balance(&unaccounted(0));
        state.losses(&lost(Loss::RecursionMissed, 5));
        assert!(!state.uncertain, "no new loss");
        state.losses(&lost(Loss::RecursionMissed, 6));
        assert!(state.uncertain);
    }

    #[test]
    fn the_ledger_is_uncertain_while_it_holds_more_than_vmstat() {
        let mut state = LedgerState::default();
        state.balance(&unaccounted(4));
        assert!(!state.uncertain, "vmstat holds more: the ledger lacks pages");
        state.balance(&unaccounted(-4));
        assert!(state.uncertain);
        state.balance(&BalanceSampled::default());
        assert!(state.uncertain, "vmstat cannot be read");
        state.balance(&unaccounted(0));
        assert!(!state.uncertain);
    }
}
