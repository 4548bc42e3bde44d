//! Conclusions: the snapshot that the state gives at this moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use pintrace_events::units::{Nanos, StackId};

use super::account::{AccountState, ProcessKey};
use super::balance::balance;
use super::extent::ExtentState;
use super::flow::Flow;
use super::fold::Model;
use super::process::ProcessState;
use super::snapshot::{OpenExtent, Process, Snapshot, SubsystemTotals, Thread};
use super::stack::{Origin, StackTable};
use super::subsystem::Subsystem;

impl Model {
    /// The state at this moment, as views draw it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut deriver = Deriver::new(&self.stacks, self.time);
        for (origin, flow) in &self.processes.forgotten {
            deriver.total(*origin).add(*flow, 0, 0);
        }
        let findings = self.findings.list(&mut deriver);
        let shown = self.processes.by_key.iter().filter(|(_, state)| state.has_pinned);
        let processes = shown
            .map(|(key, state)| deriver.process(self, *key, state))
            .collect();
        Snapshot {
            time: self.time,
            duration: self.time.since(self.start.unwrap_or_default()),
            started: self.started.clone().unwrap_or_default(),
            stopped: self.ending.is_some(),
            ending: self.ending.clone(),
            balance: balance(&self.balance),
            scan: self.scan,
            loss: self.loss.list(),
            processes,
            subsystems: deriver.subsystems(),
            findings,
            finding_counts: self.findings.counts(),
            findings_dropped: self.findings.dropped,
            windows: self.windows.list(),
            flush_check: self.flush_check,
            unapplied_events: self.unapplied_events,
        }
    }
}

/// Totals under way.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    flow: Flow,
    pages_held: u64,
    bytes_held: u64,
}

impl Total {
    fn add(&mut self, flow: Flow, pages_held: u64, bytes_held: u64) {
        self.flow.add(flow.acquired, flow.released);
        self.pages_held = self.pages_held.saturating_add(pages_held);
        self.bytes_held = self.bytes_held.saturating_add(bytes_held);
    }

    fn add_account(&mut self, account: &AccountState) {
        self.add(account.flow(), account.pages_held(), account.bytes_held());
    }
}

/// One snapshot in the making: each code path is looked up once in it.
pub(super) struct Deriver<'a> {
    stacks: &'a StackTable,
    now: Nanos,
    subsystem_of: BTreeMap<Origin, Subsystem>,
    text_of: BTreeMap<StackId, Arc<[String]>>,
    totals: BTreeMap<Subsystem, Total>,
}

impl<'a> Deriver<'a> {
    fn new(stacks: &'a StackTable, now: Nanos) -> Self {
        Self {
            stacks,
            now,
            subsystem_of: BTreeMap::new(),
            text_of: BTreeMap::new(),
            totals: BTreeMap::new(),
        }
    }

    /// The subsystem of an origin.
    pub(super) fn subsystem(&mut self, origin: Origin) -> Subsystem {
        let stacks = self.stacks;
        *self
            .subsystem_of
            .entry(origin)
            .or_insert_with(|| stacks.subsystem(origin))
    }

    /// A stack as text; empty for none.
    pub(super) fn text(&mut self, stack: Option<StackId>) -> Arc<[String]> {
        let stacks = self.stacks;
        let text = |stack| Arc::clone(self.text_of.entry(stack).or_insert_with(|| stacks.text(stack)));
        stack.map(text).unwrap_or_default()
    }

    fn total(&mut self, origin: Origin) -> &mut Total {
        let subsystem = self.subsystem(origin);
        self.totals.entry(subsystem).or_default()
    }

    fn process(&mut self, model: &Model, key: ProcessKey, state: &ProcessState) -> Process {
        let mut process = identity(key, state);
        let mut threads = past_threads(state);
        for (origin, flow) in &state.past.origins {
            self.total(*origin).add(*flow, 0, 0);
            process.subsystems.entry(self.subsystem(*origin)).or_insert(0);
        }
        for account in state.open(&model.accounts) {
            self.total(account.origin()).add_account(account);
            self.add_to_process(&mut process, model, account);
            if account.opened.from_scan {
                continue;
            }
            let thread = threads.entry(account.opened.tid).or_insert_with(|| Thread {
                tid: account.opened.tid,
                comm: account.opened.comm.clone(),
                ..Thread::default()
            });
            add_to_thread(thread, account);
        }
        let flow = state.flow(&model.accounts);
        process.acquired = flow.acquired;
        process.released = flow.released;
        process.threads = threads.into_values().collect();
        // Oldest first; the address settles it, so that live and replay agree.
        process
            .open_extents
            .sort_by_key(|extent| (std::cmp::Reverse(extent.age), extent.address));
        process
    }

    fn add_to_process(&mut self, process: &mut Process, model: &Model, account: &AccountState) {
        let pages_held = account.pages_held();
        let subsystem = self.subsystem(account.origin());
        let by_subsystem = process.subsystems.entry(subsystem).or_insert(0);
        *by_subsystem = by_subsystem.saturating_add(pages_held);
        process.pages_held = process.pages_held.saturating_add(pages_held);
        process.bytes_held = process.bytes_held.saturating_add(account.bytes_held());
        if account.opened.from_scan {
            process.scan_pages_held = process.scan_pages_held.saturating_add(pages_held);
            return;
        }
        if account.opened.longterm {
            process.longterm_pages_held = process.longterm_pages_held.saturating_add(pages_held);
        }
        let before = process.open_extents.len();
        for extent in model.extents.of(account.opened.account) {
            let open = self.extent(account, extent);
            process.oldest = process.oldest.max(open.age);
            process.extents = process.extents.saturating_add(1);
            process.open_extents.push(open);
        }
        // Short-term pins have no extents, nor have long-term ones that found the table full.
        if pages_held > 0 && process.open_extents.len() == before {
            process.extents = process.extents.saturating_add(1);
            process.oldest = process.oldest.max(self.now.since(account.totals.held_since));
        }
    }

    fn extent(&mut self, account: &AccountState, extent: &ExtentState) -> OpenExtent {
        let opened = &extent.opened;
        let stack = opened.stack.or(account.opened.stack);
        OpenExtent {
            tid: account.opened.tid,
            address: opened.address,
            end: opened.end,
            pages: opened.pages,
            pages_held: extent.pages_held,
            bytes_held: opened.bytes_held,
            age: self.now.since(extent.since),
            subsystem: self.subsystem(Origin {
                caller: account.opened.caller,
                stack,
                likely_subsystem: None,
            }),
            stack: self.text(stack),
        }
    }

    fn subsystems(self) -> Vec<SubsystemTotals> {
        let mut list: Vec<_> = self
            .totals
            .into_iter()
            .map(|(subsystem, total)| SubsystemTotals {
                subsystem,
                pages_held: total.pages_held,
                bytes_held: total.bytes_held,
                acquired: total.flow.acquired,
                released: total.flow.released,
            })
            .collect();
        list.sort_by_key(|totals| (std::cmp::Reverse(totals.pages_held), totals.subsystem));
        list
    }
}

/// Who a process is; `/proc` knows better than the account, if it was read in time.
fn identity(key: ProcessKey, state: &ProcessState) -> Process {
    let seen = state.seen.clone().unwrap_or_default();
    let comm = if seen.comm.is_empty() {
        state.account_comm.clone()
    } else {
        seen.comm
    };
    Process {
        pid: key.0,
        comm,
        cmdline: seen.cmdline,
        uid: seen.uid,
        cgroup: seen.cgroup,
        acquired_per_second: state.rates.0,
        released_per_second: state.rates.1,
        ended: state.ended,
        untraced: !state.traced,
        ..Process::default()
    }
}

fn past_threads(state: &ProcessState) -> BTreeMap<pintrace_events::units::Tid, Thread> {
    let threads = state.past.threads.iter().map(|(tid, (comm, flow))| {
        let thread = Thread {
            tid: *tid,
            comm: comm.clone(),
            pages_held: 0,
            acquired: flow.acquired,
            released: flow.released,
        };
        (*tid, thread)
    });
    threads.collect()
}

fn add_to_thread(thread: &mut Thread, account: &AccountState) {
    thread.pages_held = thread.pages_held.saturating_add(account.pages_held());
    thread.acquired = thread.acquired.saturating_add(account.totals.acquired);
    thread.released = thread.released.saturating_add(account.totals.released);
}
