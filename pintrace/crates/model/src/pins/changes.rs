//! The pins that have changed since the last snapshot.

use std::mem;

use pintrace_events::units::{AccountId, ExtentId};

use super::account::{AccountState, ProcessKey};
use super::extent::{ExtentOrder, ExtentState};
use super::process::ProcessState;

/// Most entries of a list. A longer list would save no time: the next snapshot is built anew.
const MOST: usize = 1 << 16;

/// Lists of changed pins. The states have flags, so that each list has an id once.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    /// Anything may have changed, and the lists are empty. True until the first snapshot, so that a session without
    /// snapshots keeps no lists.
    pub(crate) everything: bool,
    pub(crate) processes: Vec<ProcessKey>,
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) extents: Vec<ExtentId>,
    /// Extents that the process lists in the last snapshot, and no longer holds.
    pub(crate) gone: Vec<(ProcessKey, ExtentOrder)>,
    /// A process was forgotten.
    pub(crate) forgot: bool,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            everything: true,
            processes: Vec::new(),
            accounts: Vec::new(),
            extents: Vec::new(),
            gone: Vec::new(),
            forgot: false,
        }
    }
}

impl Changes {
    /// Takes the changes. The caller clears the flags of the states.
    pub(crate) fn take(&mut self) -> Self {
        let nothing = Self {
            everything: false,
            ..Self::default()
        };
        mem::replace(self, nothing)
    }

    /// The figures of a process changed.
    pub(super) fn process(&mut self, key: ProcessKey, state: &mut ProcessState) {
        if !self.everything && !mem::replace(&mut state.changed, true) {
            self.processes.push(key);
            self.bound();
        }
    }

    /// A process was forgotten.
    pub(super) fn forgotten(&mut self, key: ProcessKey) {
        if !self.everything {
            self.forgot = true;
            self.processes.push(key);
            self.bound();
        }
    }

    /// The totals of an account changed.
    pub(super) fn account(&mut self, state: &mut AccountState) {
        if !self.everything && !mem::replace(&mut state.changed, true) {
            self.accounts.push(state.opened.account);
            self.bound();
        }
    }

    /// An extent was opened or changed.
    pub(super) fn extent(&mut self, state: &mut ExtentState) {
        if !self.everything && !mem::replace(&mut state.shown.changed, true) {
            self.extents.push(state.opened.extent);
            self.bound();
        }
    }

    /// A process no longer holds an extent that the process lists in the last snapshot.
    pub(super) fn gone(&mut self, process: ProcessKey, extent: ExtentOrder) {
        if !self.everything {
            self.gone.push((process, extent));
            self.bound();
        }
    }

    fn bound(&mut self) {
        let longest = self
            .processes
            .len()
            .max(self.accounts.len())
            .max(self.extents.len())
            .max(self.gone.len());
        if longest > MOST {
            *self = Self::default();
        }
    }
}
