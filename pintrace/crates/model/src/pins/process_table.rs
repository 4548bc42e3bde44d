//! All processes, ended ones included. Processes that reuse a pid stay apart.

use std::collections::{BTreeMap, BTreeSet};

use pintrace_events::ProcessSeen;
use pintrace_events::units::{AccountId, Nanos, Pid};

use crate::limits::{self, clip};
use crate::pin_calls::CallTotals;
use crate::stack::Origin;

use super::account::{AccountState, AccountTable, ProcessKey};
use super::changes::Changes;
use super::flow::Flow;
use super::process::ProcessState;

/// All processes, and the totals of forgotten processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessTable {
    pub(crate) by_key: BTreeMap<ProcessKey, ProcessState>,
    /// Totals of forgotten processes.
    pub(crate) forgotten: BTreeMap<Origin, Flow>,
    /// A number above those of all forgotten processes.
    next_number: u32,
    /// Entries of [`ClosedTotals`](super::process::ClosedTotals) over all processes.
    past_entries: usize,
}

impl ProcessTable {
    /// Returns the number of processes and of totals of closed accounts.
    pub(super) fn number(&self) -> usize {
        self.by_key.len() + self.past_entries
    }

    pub(crate) fn is_full(&self) -> bool {
        self.by_key.len() >= limits::PROCESSES
    }

    /// Returns the running process of a pid: the latest process with that pid, unless the process has ended.
    pub(crate) fn current(&self, pid: Pid) -> Option<ProcessKey> {
        let (key, state) = self.by_key.range((pid, 0)..=(pid, u32::MAX)).next_back()?;
        state.ended.is_none().then_some(*key)
    }

    /// Returns the last process with a pid, running or not.
    pub(crate) fn latest(&self, pid: Pid) -> Option<ProcessKey> {
        let mut of_pid = self.by_key.range((pid, 0)..=(pid, u32::MAX));
        of_pid.next_back().map(|(key, _)| *key)
    }

    /// Returns the running process of a pid, and creates a process if there is none. No two processes of a stream get the
    /// same key: a new number is above those of the pid and above those of all forgotten processes.
    pub(crate) fn current_or_new(&mut self, pid: Pid) -> ProcessKey {
        self.current(pid).unwrap_or_else(|| {
            let latest = self.by_key.range((pid, 0)..=(pid, u32::MAX)).next_back();
            let number = latest.map_or(0, |((_, number), _)| number.saturating_add(1));
            let key = (pid, number.max(self.next_number));
            self.by_key.insert(key, ProcessState::default());
            key
        })
    }

    /// Takes the identity of a process.
    pub(super) fn seen(&mut self, key: ProcessKey, seen: &ProcessSeen, changes: &mut Changes) {
        if let Some(state) = self.by_key.get_mut(&key) {
            changes.process(key, state);
            state.seen = Some(ProcessSeen {
                comm: clip(&seen.comm, limits::COMM_CHARS),
                cmdline: clip(&seen.cmdline, limits::LINE_CHARS),
                cgroup: clip(&seen.cgroup, limits::LINE_CHARS),
                ..*seen
            });
        }
    }

    /// Adds a closed account to the totals of its process.
    pub(super) fn retire(&mut self, account: &AccountState, changes: &mut Changes) {
        let room = self.past_entries < limits::PAST_ENTRIES;
        let Some(state) = self.by_key.get_mut(&account.process) else {
            return;
        };
        changes.process(account.process, state);
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
            // A scan does not know which thread pinned.
        } else if room || state.past.threads.contains_key(&tid) {
            let thread = state.past.threads.entry(tid).or_default();
            thread.0.clone_from(&account.opened.comm);
            thread.1.add(flow.acquired, flow.released);
        }
        self.past_entries += state.past.entries() - before;
    }

    /// Adds the pin calls of an account that is about to be closed to the totals of its process.
    pub(crate) fn retire_calls(&mut self, account: &AccountState, calls: &CallTotals) {
        let Some(state) = self.by_key.get_mut(&account.process) else {
            return;
        };
        let room = self.past_entries < limits::PAST_ENTRIES;
        let origin = if room { account.origin() } else { Origin::default() };
        let before = state.past.entries();
        state.past.calls.entry(origin).or_default().add(calls);
        self.past_entries += state.past.entries() - before;
    }

    /// Sets the rates over a tick of `seconds`.
    pub(super) fn tick(&mut self, accounts: &AccountTable, seconds: f64, changes: &mut Changes) {
        for (key, state) in &mut self.by_key {
            let idle = state.accounts.is_empty() && state.ended.is_some();
            if idle && state.rates == (0.0, 0.0) {
                continue;
            }
            let flow = state.flow(accounts);
            let rate = |now: u64, before: u64| as_float(now.saturating_sub(before)) / seconds;
            let rates = (
                rate(flow.acquired, state.at_tick.acquired),
                rate(flow.released, state.at_tick.released),
            );
            if rates != state.rates {
                changes.process(*key, state);
            }
            state.rates = rates;
            state.at_tick = flow;
        }
    }

    /// Forgets the processes that ended longest ago and hold nothing, until `keep` such processes are left. Returns the
    /// ids of the accounts of the forgotten processes.
    pub(super) fn forget_ended(
        &mut self,
        accounts: &AccountTable,
        keep: usize,
        changes: &mut Changes,
    ) -> Vec<AccountId> {
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
            .flat_map(|(_, key)| {
                changes.forgotten(*key);
                self.forget(accounts, *key)
            })
            .collect()
    }

    /// Forgets one process, moves its pages to `forgotten` and returns its accounts.
    fn forget(&mut self, accounts: &AccountTable, key: ProcessKey) -> BTreeSet<AccountId> {
        let Some(state) = self.by_key.remove(&key) else {
            return BTreeSet::new();
        };
        self.next_number = self.next_number.max(key.1.saturating_add(1));
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
