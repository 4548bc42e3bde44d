//! The accounts that are open, and what they add up to.

use std::collections::BTreeMap;

use pintrace_events::units::{AccountId, Nanos, Pid};
use pintrace_events::{AccountOpened, AccountSampled};

use super::flow::Flow;
use super::limits;
use super::missing_longterm::History;
use super::stack::Origin;
use super::subsystem::Subsystem;

/// A process: its pid, and the how-many-eth of that pid it is.
pub(super) type ProcessKey = (Pid, u32);

/// One open account.
#[derive(Clone, Debug)]
pub(super) struct AccountState {
    /// As it was opened.
    pub(super) opened: AccountOpened,
    /// Its latest totals.
    pub(super) totals: AccountSampled,
    /// Whose it is: the pid alone would not tell, once it is used again.
    pub(super) process: ProcessKey,
    /// What it had pinned by when; of short-term pins alone.
    pub(super) history: History,
}

impl AccountState {
    /// Pages held now.
    pub(super) fn pages_held(&self) -> u64 {
        self.totals.acquired.saturating_sub(self.totals.released)
    }

    /// Bytes kept in place now.
    pub(super) fn bytes_held(&self) -> u64 {
        if self.pages_held() == 0 {
            0
        } else {
            self.totals.bytes_held
        }
    }

    /// Where its pins come from.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            caller: self.opened.caller,
            stack: self.opened.stack,
            likely_subsystem: Subsystem::parse(&self.opened.likely_subsystem),
        }
    }

    /// Its pins are short-term ones that were seen to come and go.
    fn is_short_term(&self) -> bool {
        !self.opened.longterm && !self.opened.from_scan
    }

    /// What came and went; of an account found by looking at memory that is not known.
    pub(super) fn flow(&self) -> Flow {
        if self.opened.from_scan {
            return Flow::default();
        }
        Flow {
            acquired: self.totals.acquired,
            released: self.totals.released,
        }
    }
}

/// All open accounts.
#[derive(Clone, Debug, Default)]
pub(super) struct AccountTable {
    by_id: BTreeMap<AccountId, AccountState>,
}

impl AccountTable {
    pub(super) fn is_full(&self) -> bool {
        self.by_id.len() >= limits::ACCOUNTS
    }

    pub(super) fn insert(&mut self, mut opened: AccountOpened, process: ProcessKey) {
        opened.comm = limits::clip(&opened.comm, limits::COMM_CHARS);
        opened.likely_subsystem = limits::clip(&opened.likely_subsystem, limits::COMM_CHARS);
        let totals = AccountSampled {
            account: opened.account,
            ..AccountSampled::default()
        };
        self.by_id.insert(
            opened.account,
            AccountState {
                opened,
                totals,
                process,
                history: History::default(),
            },
        );
    }

    /// Updates an account; false when it was never opened.
    pub(super) fn sample(&mut self, time: Nanos, totals: AccountSampled) -> bool {
        match self.by_id.get_mut(&totals.account) {
            Some(state) => {
                state.totals = totals;
                state.opened.stack = totals.stack.or(state.opened.stack);
                if state.is_short_term() {
                    state.history.note(time, totals.acquired);
                }
                true
            }
            None => false,
        }
    }

    pub(super) fn get(&self, account: AccountId) -> Option<&AccountState> {
        self.by_id.get(&account)
    }

    /// The accounts that hold short-term pins.
    pub(super) fn short_term(&self) -> impl Iterator<Item = &AccountState> {
        let holds = |account: &&AccountState| account.is_short_term() && account.pages_held() > 0;
        self.by_id.values().filter(holds)
    }

    pub(super) fn remove(&mut self, account: AccountId) -> Option<AccountState> {
        self.by_id.remove(&account)
    }
}
