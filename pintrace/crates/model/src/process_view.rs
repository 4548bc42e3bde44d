//! Processes and subsystems as a snapshot shows them.

use std::collections::BTreeMap;

use pintrace_events::units::{Nanos, Tid};

use crate::pins::{AccountState, ExtentState, Flow, Pins, ProcessKey, ProcessState};
use crate::resolve::Resolver;
use crate::snapshot::{OpenExtent, Process, SubsystemTotals, Thread};
use crate::stack::Origin;
use crate::subsystem::Subsystem;

/// Totals of one subsystem.
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

/// The processes and subsystems of one snapshot.
pub(crate) struct ProcessViews<'a, 'b> {
    pins: &'a Pins,
    now: Nanos,
    resolver: &'a mut Resolver<'b>,
    totals: BTreeMap<Subsystem, Total>,
}

impl<'a, 'b> ProcessViews<'a, 'b> {
    pub(crate) fn new(pins: &'a Pins, now: Nanos, resolver: &'a mut Resolver<'b>) -> Self {
        Self {
            pins,
            now,
            resolver,
            totals: BTreeMap::new(),
        }
    }

    /// Returns every process that has pinned, and the totals by subsystem.
    pub(crate) fn finish(mut self) -> (Vec<Process>, Vec<SubsystemTotals>) {
        let table = &self.pins.processes;
        for (origin, flow) in &table.forgotten {
            self.total(*origin).add(*flow, 0, 0);
        }
        let shown = table.by_key.iter().filter(|(_, state)| state.has_pinned);
        let processes = shown.map(|(key, state)| self.process(*key, state)).collect();
        (processes, self.subsystems())
    }

    fn total(&mut self, origin: Origin) -> &mut Total {
        let subsystem = self.resolver.subsystem(origin);
        self.totals.entry(subsystem).or_default()
    }

    fn process(&mut self, key: ProcessKey, state: &ProcessState) -> Process {
        let mut process = identity(key, state);
        let mut threads = past_threads(state);
        for (origin, flow) in &state.past.origins {
            self.total(*origin).add(*flow, 0, 0);
            process
                .subsystems
                .entry(self.resolver.subsystem(*origin))
                .or_insert(0);
        }
        for account in state.open(&self.pins.accounts) {
            self.total(account.origin()).add_account(account);
            self.add_to_process(&mut process, account);
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
        let flow = state.flow(&self.pins.accounts);
        process.acquired = flow.acquired;
        process.released = flow.released;
        process.threads = threads.into_values().collect();
        // Oldest first, then by address, so that a live session and its replay agree.
        process
            .open_extents
            .sort_by_key(|extent| (std::cmp::Reverse(extent.age), extent.address));
        process
    }

    fn add_to_process(&mut self, process: &mut Process, account: &AccountState) {
        let pages_held = account.pages_held();
        let subsystem = self.resolver.subsystem(account.origin());
        let by_subsystem = process.subsystems.entry(subsystem).or_insert(0);
        *by_subsystem = by_subsystem.saturating_add(pages_held);
        process.pages_held = process.pages_held.saturating_add(pages_held);
        process.bytes_held = process.bytes_held.saturating_add(account.bytes_held());
        if account.opened.from_scan {
            process.scan_pages_held = process.scan_pages_held.saturating_add(pages_held);
            if let Some(evidence) = account.opened.evidence.filter(|_| pages_held > 0) {
                let pages = process.evidence.entry(evidence).or_insert(0);
                *pages = pages.saturating_add(pages_held);
            }
            return;
        }
        if account.opened.longterm {
            process.longterm_pages_held = process.longterm_pages_held.saturating_add(pages_held);
        }
        let before = process.open_extents.len();
        for extent in self.pins.extents.of(account.opened.account) {
            let open = self.extent(account, extent);
            process.oldest = process.oldest.max(open.age);
            process.extents = process.extents.saturating_add(1);
            process.open_extents.push(open);
        }
        // Short-term pins have no extents. Long-term pins have no extent if the extent table was full.
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
            subsystem: self.resolver.subsystem(Origin {
                caller: account.opened.caller,
                stack,
                likely_subsystem: None,
            }),
            stack: self.resolver.text(stack),
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

/// Returns the identity of a process, from `/proc` if it was read, else from its accounts.
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

/// Returns the threads of the closed accounts.
fn past_threads(state: &ProcessState) -> BTreeMap<Tid, Thread> {
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
