//! What the kernel side has opened and whose stack is still being taken, by a program of its own
//! (`stacks.rs` of the eBPF crate).

use pintrace_common::ledger::{Account, Extent, STACK_LATER};

use crate::source::ledger::{Ledger, LedgerError};

/// A stack comes within the same pin call, or never.
pub(super) const PATIENCE_NS: u64 = 50_000_000;

/// Accounts and extents, by id and index, as their records told them.
#[derive(Default)]
pub(super) struct Late {
    pub(super) accounts: Vec<(u32, Account)>,
    pub(super) extents: Vec<(u32, Extent)>,
}

impl Late {
    /// Whether this account waits.
    pub(super) fn has_account(&self, id: u32) -> bool {
        self.accounts.iter().any(|(late, _)| *late == id)
    }

    /// Takes out the accounts whose stack is there, and those opened before `until`.
    pub(super) fn accounts(
        &mut self,
        until: u64,
        ledger: &Ledger,
    ) -> Result<Vec<(u32, Account)>, LedgerError> {
        for (id, account) in self
            .accounts
            .iter_mut()
            .filter(|(_, account)| account.stack == STACK_LATER)
        {
            let now = ledger.account(*id)?;
            if now.opened_ns == account.opened_ns {
                account.stack = now.stack;
            }
        }
        Ok(self
            .accounts
            .extract_if(.., |(_, account)| {
                account.opened_ns < until || account.stack != STACK_LATER
            })
            .collect())
    }

    /// Takes out the extents whose stack is there, and those opened before `until`.
    pub(super) fn extents(&mut self, until: u64, ledger: &Ledger) -> Result<Vec<(u32, Extent)>, LedgerError> {
        for (index, extent) in self
            .extents
            .iter_mut()
            .filter(|(_, extent)| extent.stack == STACK_LATER)
        {
            let now = ledger.extent(*index)?;
            if now.opened_ns == extent.opened_ns {
                extent.stack = now.stack;
            }
        }
        Ok(self
            .extents
            .extract_if(.., |(_, extent)| {
                extent.opened_ns < until || extent.stack != STACK_LATER
            })
            .collect())
    }
}
