//! The fold: what each event does to the state. Any events in any order give a state, never a panic.

use std::sync::Arc;

use pintrace_events::units::{ExtentId, Nanos};
use pintrace_events::{
    AccountOpened, AccountSampled, BalanceSampled, Body, Event, ExtentOpened, ExtentSampled, FlushCheck,
    ProcessExited, ScanSampled, Started, Stopped,
};

use super::account::AccountTable;
use super::extent::ExtentTable;
use super::findings::FindingTable;
use super::limits;
use super::loss::LossState;
use super::process::ProcessTable;
use super::snapshot::ProcessEnd;
use super::stack::StackTable;
use super::windows::WindowTable;

/// All that the events so far say.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub(super) time: Nanos,
    pub(super) start: Option<Nanos>,
    pub(super) started: Option<Arc<Started>>,
    pub(super) ending: Option<Stopped>,
    pub(super) processes: ProcessTable,
    pub(super) accounts: AccountTable,
    pub(super) extents: ExtentTable,
    pub(super) stacks: StackTable,
    pub(super) balance: BalanceSampled,
    pub(super) scan: Option<ScanSampled>,
    pub(super) loss: LossState,
    pub(super) findings: FindingTable,
    pub(super) windows: WindowTable,
    pub(super) flush_check: FlushCheck,
    pub(super) unapplied_events: u64,
    last_tick: Option<Nanos>,
    /// Ends since processes were last forgotten for want of room.
    ended_since: usize,
}

impl Model {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) {
        self.time = self.time.max(event.time);
        self.start.get_or_insert(event.time);
        let folded = match &event.body {
            Body::Started(started) => self.started(event.time, started),
            Body::ProcessSeen(seen) => {
                self.room_for_process() && {
                    let key = self.processes.current_or_new(seen.pid);
                    self.processes.seen(key, seen);
                    true
                }
            }
            Body::ProcessExited(exited) => self.process_exited(event.time, *exited),
            Body::AccountOpened(opened) => self.account_opened(opened),
            Body::AccountSampled(totals) => self.account_sampled(event.time, *totals),
            Body::AccountClosed(account) => match self.accounts.remove(*account) {
                Some(account) => {
                    self.processes.retire(&account);
                    true
                }
                None => false,
            },
            Body::ExtentOpened(opened) => self.extent_opened(event.time, *opened),
            Body::ExtentSampled(sample) => self.extent_sampled(event.time, sample),
            Body::ExtentPartiallyReleased(partially_released) => {
                self.extents.partially_released(event.time, *partially_released)
            }
            Body::ExtentClosed(closed) => self.extent_closed(event.time, closed.extent),
            Body::StackSeen(seen) => self.stacks.stack_seen(seen),
            Body::SymbolSeen(seen) => self.stacks.symbol_seen(seen),
            Body::BalanceSampled(sample) => {
                self.balance = *sample;
                true
            }
            Body::LossSampled(sample) => {
                self.loss.sample(sample);
                true
            }
            Body::ScanSampled(sample) => {
                self.scan = Some(*sample);
                true
            }
            Body::MappingChanged(change) => {
                self.mapping_changed(event.time, change);
                true
            }
            Body::MmExited(space) => {
                self.extents.end_mm(event.time, *space);
                true
            }
            Body::AddressSpaceFreed(file) => {
                self.extents.end_address_space(*file);
                true
            }
            Body::CowSampled(copies) => {
                self.cow_sampled(copies);
                true
            }
            Body::WindowsSampled(sample) => self.windows_sampled(sample),
            Body::FlushCheckSampled(check) => {
                self.flush_check = *check;
                true
            }
            Body::Tick => self.tick(),
            Body::Stopped(stopped) => {
                self.ending = Some(stopped.clone());
                true
            }
        };
        self.unapplied_events = self.unapplied_events.saturating_add(u64::from(!folded));
    }

    /// Drops the processes that ended longest ago and hold nothing, until `keep` such are left;
    /// their pages stay in the totals by subsystem. For sessions that never end.
    pub fn forget_ended(&mut self, keep: usize) {
        for account in self.processes.forget_ended(&self.accounts, keep) {
            self.accounts.remove(account);
        }
    }

    /// The kernel keeps exclusive pages from being copied; not if nobody said so.
    pub(super) fn keeps_exclusive_pages(&self) -> bool {
        self.started
            .as_ref()
            .is_some_and(|started| started.exclusive_pages)
    }

    fn started(&mut self, time: Nanos, started: &Started) -> bool {
        if self.started.is_some() {
            return false;
        }
        self.start = Some(time);
        self.last_tick = Some(time);
        self.started = Some(Arc::new(started.clone()));
        true
    }

    /// What it held: of long-term pins the source knows; of others the last sample tells.
    fn process_exited(&mut self, time: Nanos, exited: ProcessExited) -> bool {
        let Some(key) = self.processes.current(exited.pid) else {
            return false;
        };
        let Some(state) = self.processes.by_key.get_mut(&key) else {
            return false;
        };
        let known = exited.longterm_pages_held;
        let pages_held = state
            .open(&self.accounts)
            .fold(known.unwrap_or(0), |sum, account| {
                if account.opened.longterm && known.is_some() {
                    return sum;
                }
                let extents = self.extents.pages_held(account.opened.account);
                sum.saturating_add(account.pages_held().max(extents))
            });
        self.ended_since += 1;
        let ProcessExited { signal, status, .. } = exited;
        state.ended = Some(ProcessEnd {
            time,
            signal,
            status,
            pages_held,
        });
        true
    }

    fn account_opened(&mut self, opened: &AccountOpened) -> bool {
        // Ids are unique, so an account opened twice is forged: its first life is over.
        if let Some(account) = self.accounts.remove(opened.account) {
            self.processes.retire(&account);
        }
        if self.accounts.is_full() || !self.room_for_process() {
            return false;
        }
        let key = self.processes.current_or_new(opened.pid);
        if let Some(state) = self.processes.by_key.get_mut(&key) {
            if state.account_comm.is_empty() || opened.tid.0 == opened.pid.0 {
                state.account_comm = limits::clip(&opened.comm, limits::COMM_CHARS);
            }
            state.accounts.insert(opened.account);
            state.has_pinned = true;
            state.traced |= !opened.from_scan;
        }
        self.accounts.insert(opened.clone(), key);
        true
    }

    fn account_sampled(&mut self, time: Nanos, totals: AccountSampled) -> bool {
        if let (Some(account), Some(stack)) = (self.accounts.get(totals.account), totals.stack)
            && account.opened.stack.is_none()
        {
            self.findings.late_stack(totals.account, None, stack);
        }
        self.accounts.sample(time, totals)
    }

    /// An id that is still open is used again: its end was not told.
    fn extent_opened(&mut self, time: Nanos, opened: ExtentOpened) -> bool {
        self.extent_closed(time, opened.extent);
        self.extents.open(time, opened)
    }

    fn extent_sampled(&mut self, time: Nanos, sample: &ExtentSampled) -> bool {
        if let (Some(state), Some(stack)) = (self.extents.get(sample.extent), sample.stack)
            && state.opened.stack.is_none()
        {
            let extent = (state.opened.address, state.since);
            self.findings
                .late_stack(state.opened.account, Some(extent), stack);
        }
        self.extents.sample(time, sample)
    }

    fn extent_closed(&mut self, time: Nanos, extent: ExtentId) -> bool {
        let closed = self.extents.close(extent);
        if let Some(state) = &closed {
            self.outliving_closed(time, state);
        }
        closed.is_some()
    }

    /// Forgetting walks all processes, so it waits until it pays.
    fn room_for_process(&mut self) -> bool {
        if self.processes.is_full() && self.ended_since > limits::PROCESSES / 64 {
            self.ended_since = 0;
            self.forget_ended(limits::PROCESSES / 2);
        }
        !self.processes.is_full()
    }

    fn tick(&mut self) -> bool {
        self.find_outliving();
        self.find_missing_longterm();
        let since = self.last_tick.or(self.start).unwrap_or_default();
        let seconds = self.time.since(since).as_secs();
        if seconds > 0.0 {
            self.processes.tick(&self.accounts, seconds);
            self.last_tick = Some(self.time);
        }
        true
    }
}
