//! Who pins: processes, also after their end, told apart when a pid is used again.

use std::collections::{BTreeMap, BTreeSet};

use pintrace_events::ProcessSeen;
use pintrace_events::units::{AccountId, Nanos, Pid, Tid};

use super::account::{AccountState, AccountTable, ProcessKey};
use super::flow::Flow;
use super::limits::{self, clip};
use super::snapshot::ProcessEnd;
use super::stack::Origin;

/// What a process's closed accounts added up to.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    pub(super) origins: BTreeMap<Origin, Flow>,
    pub(super) threads: BTreeMap<Tid, (String, Flow)>,
}

impl Past {
    fn entries(&self) -> usize {
        self.origins.len() + self.threads.len()
    }
}

/// One process.
#[derive(Clone, Debug, Default)]
pub(super) struct ProcessState {
    /// From `/proc`, when it was read.
    pub(super) seen: Option<ProcessSeen>,
    /// Command name of its first account, for want of anything better.
    pub(super) account_comm: String,
    /// Its open accounts.
    pub(super) accounts: BTreeSet<AccountId>,
    /// Its closed accounts.
    pub(super) past: Past,
    /// It has had an account, so it is shown.
    pub(super) has_pinned: bool,
    /// It has been seen to pin, and not only to hold pins.
    pub(super) traced: bool,
    /// Set at its end.
    pub(super) ended: Option<ProcessEnd>,
    /// Totals at the last tick.
    at_tick: Flow,
    /// Acquired and released a second, over the last full tick.
    pub(super) rates: (f64, f64),
}

impl ProcessState {
    /// Its open accounts' states.
    pub(super) fn open<'a>(&'a self, accounts: &'a AccountTable) -> impl Iterator<Item = &'a AccountState> {
        self.accounts.iter().filter_map(|account| accounts.get(*account))
    }

    /// Pages acquired and released since the start.
    pub(super) fn flow(&self, accounts: &AccountTable) -> Flow {
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

    fn holds_nothing(&self, accounts: &AccountTable) -> bool {
        self.open(accounts).all(|account| account.pages_held() == 0)
    }
}

/// All processes, and what remains of those that were forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct ProcessTable {
    pub(super) by_key: BTreeMap<ProcessKey, ProcessState>,
    /// Totals of forgotten processes.
    pub(super) forgotten: BTreeMap<Origin, Flow>,
    past_entries: usize,
}

impl ProcessTable {
    pub(super) fn is_full(&self) -> bool {
        self.by_key.len() >= limits::PROCESSES
    }

    /// The process that a pid means now: the latest, unless it has ended.
    pub(super) fn current(&self, pid: Pid) -> Option<ProcessKey> {
        let (key, state) = self.by_key.range((pid, 0)..=(pid, u32::MAX)).next_back()?;
        state.ended.is_none().then_some(*key)
    }

    /// The process that a pid means now, begun if there is none.
    pub(super) fn current_or_new(&mut self, pid: Pid) -> ProcessKey {
        self.current(pid).unwrap_or_else(|| {
            let latest = self.by_key.range((pid, 0)..=(pid, u32::MAX)).next_back();
            let key = (pid, latest.map_or(0, |((_, count), _)| count.saturating_add(1)));
            self.by_key.insert(key, ProcessState::default());
            key
        })
    }

    pub(super) fn seen(&mut self, key: ProcessKey, seen: &ProcessSeen) {
        if let Some(state) = self.by_key.get_mut(&key) {
            state.seen = Some(ProcessSeen {
                comm: clip(&seen.comm, limits::COMM_CHARS),
                cmdline: clip(&seen.cmdline, limits::LINE_CHARS),
                cgroup: clip(&seen.cgroup, limits::LINE_CHARS),
                ..*seen
            });
        }
    }

    /// Files an account that is over under its process's past.
    pub(super) fn retire(&mut self, account: &AccountState) {
        let room = self.past_entries < limits::PAST_ENTRIES;
        let Some(state) = self.by_key.get_mut(&account.process) else {
            return;
        };
        state.accounts.remove(&account.opened.account);
        let before = state.past.entries();
        let origin = if room { account.origin() } else { Origin::default() };
        let flow = account.flow();
        state
            .past
            .origins
            .entry(origin)
            .or_default()
            .add(flow.acquired, flow.released);
        let tid = account.opened.tid;
        if account.opened.from_scan {
            // Which thread pinned is not known.
        } else if room || state.past.threads.contains_key(&tid) {
            let thread = state.past.threads.entry(tid).or_default();
            thread.0.clone_from(&account.opened.comm);
            thread.1.add(flow.acquired, flow.released);
        }
        self.past_entries += state.past.entries() - before;
    }

    /// Sets the rates of the tick that is over, `seconds` long.
    pub(super) fn tick(&mut self, accounts: &AccountTable, seconds: f64) {
        for state in self.by_key.values_mut() {
            let quiet = state.accounts.is_empty() && state.ended.is_some();
            if quiet && state.rates == (0.0, 0.0) {
                continue;
            }
            let flow = state.flow(accounts);
            let rate = |now: u64, before: u64| as_float(now.saturating_sub(before)) / seconds;
            state.rates = (
                rate(flow.acquired, state.at_tick.acquired),
                rate(flow.released, state.at_tick.released),
            );
            state.at_tick = flow;
        }
    }

    /// Drops the processes that ended longest ago and hold nothing, until `keep` such are left.
    /// Gives the accounts that went with them.
    pub(super) fn forget_ended(&mut self, accounts: &AccountTable, keep: usize) -> Vec<AccountId> {
        let mut ended: Vec<(Nanos, ProcessKey)> = self
            .by_key
            .iter()
            .filter(|(_, state)| state.holds_nothing(accounts))
            .filter_map(|(key, state)| Some((state.ended?.time, *key)))
            .collect();
        ended.sort_unstable();
        ended.truncate(ended.len().saturating_sub(keep));
        ended
            .iter()
            .flat_map(|(_, key)| self.forget(accounts, *key))
            .collect()
    }

    fn forget(&mut self, accounts: &AccountTable, key: ProcessKey) -> BTreeSet<AccountId> {
        let Some(state) = self.by_key.remove(&key) else {
            return BTreeSet::new();
        };
        self.past_entries = self.past_entries.saturating_sub(state.past.entries());
        let open = state
            .open(accounts)
            .map(|account| (account.origin(), account.flow()));
        let past = state.past.origins.iter().map(|(origin, flow)| (*origin, *flow));
        for (origin, flow) in past.chain(open) {
            let room = self.forgotten.len() < limits::STACKS;
            let origin = if room { origin } else { Origin::default() };
            self.forgotten
                .entry(origin)
                .or_default()
                .add(flow.acquired, flow.released);
        }
        state.accounts
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate needs no more than 52 bits of pages"
)]
fn as_float(pages: u64) -> f64 {
    pages as f64
}
