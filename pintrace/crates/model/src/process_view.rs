//! Processes as a snapshot shows them. A snapshot builds only the rows of processes that have changed.

use std::collections::BTreeMap;

use pintrace_events::units::{Nanos, Tid};

use crate::pins::{AccountState, Pins, ProcessKey, ProcessState};
use crate::resolve::Resolver;
use crate::shared_list::SharedList;
use crate::snapshot::{HeldAccount, OpenExtent, Process, Thread};
use crate::subsystem_sums::SubsystemSums;

/// Returns the row of a process that holds `extents`, and its part of the totals by subsystem.
pub(crate) fn process(
    key: ProcessKey,
    state: &ProcessState,
    pins: &Pins,
    extents: &SharedList<OpenExtent>,
    resolver: &mut Resolver<'_>,
) -> (Process, SubsystemSums) {
    let mut process = identity(key, state);
    let mut threads = past_threads(state);
    let mut part = SubsystemSums::default();
    for (origin, flow) in &state.past.origins {
        let subsystem = resolver.subsystem(*origin);
        part.add(subsystem, *flow, 0, 0);
        process.subsystems.entry(subsystem).or_insert(0);
    }
    for account in state.open(&pins.accounts) {
        let subsystem = resolver.subsystem(account.origin());
        part.add(
            subsystem,
            account.flow(),
            account.pages_held(),
            account.bytes_held(),
        );
        let by_subsystem = process.subsystems.entry(subsystem).or_insert(0);
        *by_subsystem = by_subsystem.saturating_add(account.pages_held());
        add_to_process(&mut process, account, pins);
        process
            .held_accounts
            .extend(held_account(account, pins, resolver));
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
    let flow = state.flow(&pins.accounts);
    process.acquired = flow.acquired;
    process.released = flow.released;
    process.threads = threads.into_values().collect();
    process.extents = process.extents.saturating_add(extents.len() as u64);
    let since = extents.first().map(|extent| extent.since);
    process.oldest_since = process.oldest_since.into_iter().chain(since).min();
    process.open_extents = extents.clone();
    (process, part)
}

/// Adds all figures of an account but those of its extents.
fn add_to_process(process: &mut Process, account: &AccountState, pins: &Pins) {
    let pages_held = account.pages_held();
    process.pages_held = process.pages_held.saturating_add(pages_held);
    process.bytes_held = process.bytes_held.saturating_add(account.bytes_held());
    process.huge_bytes_held = process.huge_bytes_held.saturating_add(account.huge_bytes_held());
    if account.opened.from_scan {
        process.scan_pages_held = process.scan_pages_held.saturating_add(pages_held);
        if let Some(evidence) = account.opened.evidence.filter(|_| pages_held > 0) {
            let pages = process.evidence.entry(evidence).or_insert(0);
            *pages = pages.saturating_add(pages_held);
        }
        let older_than = older_than(account, pins).filter(|_| pages_held > 0);
        process.older_than = process.older_than.into_iter().chain(older_than).min();
        return;
    }
    if account.opened.longterm {
        process.longterm_pages_held = process.longterm_pages_held.saturating_add(pages_held);
    }
    if pages_held > 0 && has_no_extent(account, pins) {
        process.extents = process.extents.saturating_add(1);
        let since = account.totals.held_since;
        process.oldest_since = process.oldest_since.into_iter().chain([since]).min();
    }
}

/// Returns true for short-term pins, which have no extents, and for long-term pins if the extent table was full.
fn has_no_extent(account: &AccountState, pins: &Pins) -> bool {
    pins.extents.of(account.opened.account).next().is_none()
}

/// Returns the time before which the pins of an account were taken, if the scan at the start of a trace found them.
fn older_than(account: &AccountState, pins: &Pins) -> Option<Nanos> {
    let is_older = account.opened.from_scan && !pins.scan_only;
    is_older.then_some(account.totals.held_since)
}

/// Returns the pins of an account that holds pages of which no extent is known.
fn held_account(account: &AccountState, pins: &Pins, resolver: &mut Resolver<'_>) -> Option<HeldAccount> {
    let opened = &account.opened;
    let pages_held = account.pages_held();
    if pages_held == 0 || !(opened.from_scan || has_no_extent(account, pins)) {
        return None;
    }
    let origin = account.origin();
    let (subsystem, caller) = resolver.of_origin(origin);
    Some(HeldAccount {
        account: opened.account,
        tid: opened.tid,
        pages_held,
        bytes_held: account.bytes_held(),
        longterm: opened.longterm,
        from_scan: opened.from_scan,
        evidence: opened.evidence,
        file: opened.file,
        file_released: account.file_released,
        descriptor: opened.descriptor,
        since: (!opened.from_scan).then_some(account.totals.held_since),
        older_than: older_than(account, pins),
        subsystem,
        caller,
        stack: resolver.text(origin.stack),
    })
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
        earlier_processes: key.1,
        comm,
        cmdline: seen.cmdline,
        uid: seen.uid,
        cgroup: seen.cgroup,
        acquired_per_second: state.rates.0,
        released_per_second: state.rates.1,
        ended: state.ended,
        untraced: !state.traced,
        hold_times: state.hold_times,
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
