//! One account as last emitted.

use pintrace_common::ledger::Account;

use pintrace_events::units::AccountId;

/// One account as last emitted.
pub(super) struct EmittedAccount {
    pub(super) id: AccountId,
    pub(super) account: Account,
    /// See [`unclear_releases`](pintrace_events::AccountSampled::unclear_releases).
    pub(super) unclear_releases: u64,
}

impl EmittedAccount {
    pub(super) fn tgid(&self) -> u32 {
        self.account.key.tgid()
    }

    /// Returns true if the account held no pages when last emitted.
    pub(super) fn holds_nothing(&self) -> bool {
        self.account.acquired == self.account.released
    }

    /// Returns true if nothing but the stack has changed since the account was last emitted.
    pub(super) fn is_current(&self, now: &Account) -> bool {
        let stack = self.account.stack;
        self.account == Account { stack, ..*now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_changed_after_the_sample_is_not_current() {
        let account = Account {
            acquired: 8,
            released: 8,
            calls: 1,
            opened_ns: 5,
            ..Account::default()
        };
        let emitted = EmittedAccount {
            id: AccountId(1),
            account,
            unclear_releases: 0,
        };
        assert!(emitted.holds_nothing() && emitted.is_current(&account));
        // The stack came late: the pages are the same.
        assert!(emitted.is_current(&Account { stack: 3, ..account }));
        let held = Account {
            acquired: 9,
            ..account
        };
        // The pages of the last call are missing in the totals that were emitted.
        let released = Account { released: 9, ..held };
        let failed = Account { failed: 1, ..account };
        let next = Account {
            opened_ns: 6,
            ..account
        };
        for changed in [held, released, failed, next] {
            assert!(!emitted.is_current(&changed));
        }
    }
}
