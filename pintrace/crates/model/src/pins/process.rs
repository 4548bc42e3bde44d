//! One process and its accounts.

use std::collections::{BTreeMap, BTreeSet};

use pintrace_events::units::{AccountId, Nanos, Tid};
use pintrace_events::{AccountOpened, ProcessSeen};

use crate::hold_times::HoldTimes;
use crate::limits;
use crate::pin_calls::CallTotals;
use crate::snapshot::ProcessEnd;
use crate::stack::Origin;

use super::account::{AccountState, AccountTable};
use super::flow::Flow;

/// Totals of a process's closed accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClosedTotals {
    pub(crate) origins: BTreeMap<Origin, Flow>,
    /// Command name and pages of each thread.
    pub(crate) threads: BTreeMap<Tid, (String, Flow)>,
    /// Pin calls by code path.
    pub(crate) calls: BTreeMap<Origin, CallTotals>,
}

impl ClosedTotals {
    pub(super) fn entries(&self) -> usize {
        self.origins.len() + self.threads.len() + self.calls.len()
    }
}

/// One process.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessState {
    /// Identity from `/proc`, if it was read.
    pub(crate) seen: Option<ProcessSeen>,
    /// Command name of the main thread's account, else of the first account. Views show this name if `/proc` was not
    /// read.
    pub(crate) account_comm: String,
    /// Ids of the open accounts.
    pub(crate) accounts: BTreeSet<AccountId>,
    /// Totals of the closed accounts.
    pub(crate) past: ClosedTotals,
    /// The process is in the list of changes since the last snapshot.
    pub(crate) changed: bool,
    /// The process has had an account. Views show only such processes.
    pub(crate) has_pinned: bool,
    /// The hooks have seen the process pin. False if only a scan found its pins.
    pub(crate) traced: bool,
    /// Set when the process ends.
    pub(crate) ended: Option<ProcessEnd>,
    /// Time at which the process last executed a new program.
    pub(crate) execed: Option<Nanos>,
    /// How long the extents were held that have been released.
    pub(crate) hold_times: HoldTimes,
    /// Pages acquired and released by the last tick.
    pub(super) at_tick: Flow,
    /// Pages acquired and released a second, over the last full tick.
    pub(crate) rates: (f64, f64),
}

impl ProcessState {
    /// Notes a new account of the process.
    pub(super) fn account_opened(&mut self, opened: &AccountOpened) {
        if self.account_comm.is_empty() || opened.tid.0 == opened.pid.0 {
            self.account_comm = limits::clip(&opened.comm, limits::COMM_CHARS);
        }
        self.accounts.insert(opened.account);
        self.has_pinned = true;
        self.traced |= !opened.from_scan;
    }

    /// The open accounts.
    pub(crate) fn open<'a>(&'a self, accounts: &'a AccountTable) -> impl Iterator<Item = &'a AccountState> {
        self.accounts.iter().filter_map(|account| accounts.get(*account))
    }

    /// Pages acquired and released since the start.
    pub(crate) fn flow(&self, accounts: &AccountTable) -> Flow {
        let mut sum = Flow::default();
        for past in self.past.origins.values() {
            sum.add(past.acquired, past.released);
        }
        for account in self.open(accounts) {
            let flow = account.flow();
            sum.add(flow.acquired, flow.released);
        }
        sum
    }

    /// No open account holds a page.
    pub(super) fn holds_nothing(&self, accounts: &AccountTable) -> bool {
        self.open(accounts).all(|account| account.pages_held() == 0)
    }
}
