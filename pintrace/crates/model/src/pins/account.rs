//! The open accounts and their totals.

use std::collections::{BTreeMap, BTreeSet};

use pintrace_events::units::{AccountId, Nanos, Pid};
use pintrace_events::{AccountOpened, AccountSampled, Evidence, FileId};

use crate::limits;
use crate::stack::Origin;
use crate::subsystem::Subsystem;

use super::acquired_history::AcquiredHistory;
use super::flow::Flow;

/// A process: its pid, and a number that is at least that of the earlier processes with that pid. The number tells processes
/// with the same pid apart: a later one has a larger number.
pub(crate) type ProcessKey = (Pid, u32);

/// One open account.
#[derive(Clone, Debug)]
pub(crate) struct AccountState {
    /// The opening event, with a stack that arrived later.
    pub(crate) opened: AccountOpened,
    /// The latest totals.
    pub(crate) totals: AccountSampled,
    /// The process that owns the account. The pid alone is not enough once the kernel reuses it.
    pub(crate) process: ProcessKey,
    /// Pages acquired over time; empty for long-term pins and for pins found by a scan.
    pub(crate) history: AcquiredHistory,
    /// The last reference to the open file of the account's preexisting pins is gone.
    pub(crate) file_released: bool,
    /// The account is in the list of changes since the last snapshot.
    pub(crate) changed: bool,
}

impl AccountState {
    /// Pages held now.
    pub(crate) fn pages_held(&self) -> u64 {
        self.totals.acquired.saturating_sub(self.totals.released)
    }

    /// Bytes that the pins keep in place now.
    pub(crate) fn bytes_held(&self) -> u64 {
        if self.pages_held() == 0 {
            0
        } else {
            self.totals.bytes_held
        }
    }

    /// Bytes of them in folios of 2 MiB and more.
    pub(crate) fn huge_bytes_held(&self) -> u64 {
        self.totals.huge_bytes_held.min(self.bytes_held())
    }

    /// The code path of the account's pins.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            caller: self.opened.caller,
            stack: self.opened.stack,
            likely_subsystem: Subsystem::parse(&self.opened.likely_subsystem),
        }
    }

    /// The account holds short-term pins whose acquires and releases are traced.
    fn is_short_term(&self) -> bool {
        !self.opened.longterm && !self.opened.from_scan
    }

    /// Pages acquired and released; 0 for an account found by a scan, which cannot know them.
    pub(crate) fn flow(&self) -> Flow {
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
pub(crate) struct AccountTable {
    by_id: BTreeMap<AccountId, AccountState>,
    /// Accounts of preexisting pins, by their open file.
    by_file: BTreeSet<(FileId, AccountId)>,
}

impl AccountTable {
    pub(crate) fn number(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.by_id.len() >= limits::ACCOUNTS
    }

    pub(crate) fn insert(&mut self, mut opened: AccountOpened, process: ProcessKey) {
        opened.comm = limits::clip(&opened.comm, limits::COMM_CHARS);
        opened.likely_subsystem = limits::clip(&opened.likely_subsystem, limits::COMM_CHARS);
        let totals = AccountSampled {
            account: opened.account,
            ..AccountSampled::default()
        };
        if !opened.file.is_none() {
            self.by_file.insert((opened.file, opened.account));
        }
        self.by_id.insert(
            opened.account,
            AccountState {
                opened,
                totals,
                process,
                history: AcquiredHistory::default(),
                file_released: false,
                changed: false,
            },
        );
    }

    /// Takes new totals of an account, and returns the account; `None` if the account is not open.
    pub(super) fn sample(&mut self, time: Nanos, totals: AccountSampled) -> Option<&mut AccountState> {
        let state = self.by_id.get_mut(&totals.account)?;
        state.totals = totals;
        state.opened.stack = totals.stack.or(state.opened.stack);
        if state.is_short_term() {
            state.history.note(time, totals.acquired);
        }
        Some(state)
    }

    pub(crate) fn get(&self, account: AccountId) -> Option<&AccountState> {
        self.by_id.get(&account)
    }

    pub(crate) fn get_mut(&mut self, account: AccountId) -> Option<&mut AccountState> {
        self.by_id.get_mut(&account)
    }

    /// Notes that the last reference to an open file is gone. Calls `changed` with each account of its preexisting pins.
    pub(super) fn file_released(&mut self, file: FileId, mut changed: impl FnMut(&mut AccountState)) {
        let of_file = self
            .by_file
            .range((file, AccountId(0))..=(file, AccountId(u32::MAX)));
        for (_, account) in of_file {
            if let Some(state) = self.by_id.get_mut(account) {
                state.file_released = true;
                changed(state);
            }
        }
    }

    /// All open accounts.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut AccountState> {
        self.by_id.values_mut()
    }

    /// The accounts that hold registered memory now: traced long-term pins, and pins that are older than the session and
    /// that the kernel's table of an open file names.
    pub(crate) fn registered(&self) -> impl Iterator<Item = &AccountState> {
        let holds = |account: &&AccountState| {
            let registered = if account.opened.from_scan {
                account.opened.evidence == Some(Evidence::KernelTable)
            } else {
                account.opened.longterm
            };
            registered && account.pages_held() > 0
        };
        self.by_id.values().filter(holds)
    }

    /// The accounts that hold traced short-term pins now.
    pub(crate) fn short_term(&self) -> impl Iterator<Item = &AccountState> {
        let holds = |account: &&AccountState| account.is_short_term() && account.pages_held() > 0;
        self.by_id.values().filter(holds)
    }

    pub(crate) fn remove(&mut self, account: AccountId) -> Option<AccountState> {
        let removed = self.by_id.remove(&account)?;
        self.by_file.remove(&(removed.opened.file, account));
        Some(removed)
    }
}
