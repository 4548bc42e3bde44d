//! The long-term extents that are open, by id and by account.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{ExtentOpened, ExtentSampled};
use crate::units::{AccountId, ExtentId, Nanos};

use super::limits;

/// One open extent.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExtentState {
    /// As it was opened, with `end`, `pages` and `bytes_held` brought up to date.
    pub(super) opened: ExtentOpened,
    /// When.
    pub(super) since: Nanos,
    /// Pages held now.
    pub(super) pages_held: u64,
}

/// All open extents. An extent whose account is unknown waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct ExtentTable {
    by_id: BTreeMap<ExtentId, ExtentState>,
    by_account: BTreeSet<(AccountId, ExtentId)>,
}

impl ExtentTable {
    /// Opens an extent; ids are used again, so one that is still open under this id is over.
    /// False when there is no room.
    pub(super) fn open(&mut self, time: Nanos, opened: ExtentOpened) -> bool {
        self.close(opened.extent);
        if self.by_id.len() >= limits::EXTENTS {
            return false;
        }
        self.by_account.insert((opened.account, opened.extent));
        let state = ExtentState {
            opened,
            since: time,
            pages_held: opened.pages,
        };
        self.by_id.insert(opened.extent, state);
        true
    }

    /// Updates an extent; false when it was never opened.
    pub(super) fn sample(&mut self, sample: &ExtentSampled) -> bool {
        let Some(state) = self.by_id.get_mut(&sample.extent) else {
            return false;
        };
        state.opened.end = sample.end;
        state.opened.pages = sample.pages;
        state.opened.bytes_held = sample.bytes_held;
        state.opened.stack = sample.stack.or(state.opened.stack);
        state.pages_held = sample.pages_held;
        true
    }

    /// Ends an extent; false when it was never opened.
    pub(super) fn close(&mut self, extent: ExtentId) -> bool {
        let Some(state) = self.by_id.remove(&extent) else {
            return false;
        };
        self.by_account.remove(&(state.opened.account, extent));
        true
    }

    /// The open extents of an account.
    pub(super) fn of(&self, account: AccountId) -> impl Iterator<Item = &ExtentState> {
        self.by_account
            .range((account, ExtentId(0))..=(account, ExtentId(u32::MAX)))
            .filter_map(|(_, extent)| self.by_id.get(extent))
    }

    /// Pages that an account's extents hold.
    pub(super) fn pages_held(&self, account: AccountId) -> u64 {
        self.of(account)
            .fold(0, |sum, extent| sum.saturating_add(extent.pages_held))
    }
}
