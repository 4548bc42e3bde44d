//! The pins: processes, their accounts, and the extents of these accounts.

mod account;
mod acquired_history;
mod changes;
mod extent;
mod extent_index;
mod extent_slots;
mod extent_table;
mod flow;
mod process;
mod process_table;
mod ranges;

use pintrace_events::units::{AccountId, ExtentId, Nanos, Pid, StackId};
use pintrace_events::{
    AccountOpened, AccountSampled, ExtentMarked, ExtentOpened, ExtentSampled, FileId, ProcessExited,
    ProcessSeen,
};

use crate::limits;
use crate::snapshot::ProcessEnd;

pub(crate) use account::{AccountState, AccountTable, ProcessKey};
pub(crate) use changes::Changes;
pub(crate) use extent::{ExtentOrder, ExtentState, Hit, Shown};
pub(crate) use extent_table::ExtentTable;
pub(crate) use flow::Flow;
pub(crate) use process::ProcessState;
pub(crate) use process_table::ProcessTable;

/// Every process that pins, every open account and every open extent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pins {
    pub(crate) processes: ProcessTable,
    pub(crate) accounts: AccountTable,
    pub(crate) extents: ExtentTable,
    /// The pins that have changed since the last snapshot.
    pub(crate) changes: Changes,
    /// The session traces nothing: each scan finds the pins anew.
    pub(crate) scan_only: bool,
    /// Processes that ended since the model last forgot processes to make room.
    ended_since: usize,
}

/// The process that owns a pin.
#[derive(Clone, Debug, Default)]
pub(crate) struct PinHolder {
    pub(crate) pid: Pid,
    pub(crate) comm: String,
}

/// A stack that arrived after the account or extent that it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateStack {
    pub(crate) account: AccountId,
    /// First address and opening time of the extent; `None` if the stack is the account's.
    pub(crate) extent: Option<(u64, Nanos)>,
    pub(crate) stack: StackId,
}

impl Pins {
    /// Returns the number of processes, accounts and extents.
    pub(crate) fn objects(&self) -> usize {
        self.processes.number() + self.accounts.number() + self.extents.number()
    }

    /// Takes the identity of a process; returns false if there is no room ([`Self::make_room`]).
    pub(crate) fn process_seen(&mut self, seen: &ProcessSeen) -> bool {
        if self.processes.is_full() {
            return false;
        }
        let key = self.processes.current_or_new(seen.pid);
        self.processes.seen(key, seen, &mut self.changes);
        true
    }

    /// Ends a process and stores its pages held at the exit: of long-term pins as the source counted them, of other
    /// pins as in the latest sample.
    pub(crate) fn process_exited(&mut self, time: Nanos, exited: ProcessExited) -> bool {
        let Some(key) = self.processes.current(exited.pid) else {
            return false;
        };
        let Some(state) = self.processes.by_key.get_mut(&key) else {
            return false;
        };
        let longterm = exited.longterm_pages_held;
        let pages_held = state
            .open(&self.accounts)
            .fold(longterm.unwrap_or(0), |sum, account| {
                if account.opened.longterm && longterm.is_some() {
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
        self.changes.process(key, state);
        true
    }

    /// Notes that a process executed a new program; returns false if the process is unknown.
    pub(crate) fn process_execed(&mut self, time: Nanos, pid: Pid) -> bool {
        let key = self.processes.current(pid);
        let Some(state) = key.and_then(|key| self.processes.by_key.get_mut(&key)) else {
            return false;
        };
        state.execed = Some(time);
        true
    }

    /// Returns the state of the process that opened an account; `None` if the account is unknown.
    pub(crate) fn process_of(&self, account: AccountId) -> Option<&ProcessState> {
        let account = self.accounts.get(account)?;
        self.processes.by_key.get(&account.process)
    }

    /// Opens an account; returns false if there is no room ([`Self::make_room`]).
    pub(crate) fn account_opened(&mut self, opened: &AccountOpened) -> bool {
        // Account ids are unique within a stream. A forged stream may open an id twice: then the first account ends.
        self.account_closed(opened.account);
        if self.accounts.is_full() || self.processes.is_full() {
            return false;
        }
        let key = self.processes.current_or_new(opened.pid);
        if let Some(state) = self.processes.by_key.get_mut(&key) {
            state.account_opened(opened);
            self.changes.process(key, state);
        }
        self.accounts.insert(opened.clone(), key);
        // Extents may arrive before their account.
        let Self { extents, changes, .. } = self;
        extents.each_of(opened.account, |extent| changes.extent(extent));
        true
    }

    /// Ends an account; returns false if the account is not open.
    pub(crate) fn account_closed(&mut self, account: AccountId) -> bool {
        let Some(account) = self.accounts.remove(account) else {
            return false;
        };
        self.unlist_extents(&account);
        self.processes.retire(&account, &mut self.changes);
        true
    }

    /// Takes new totals of an account; returns false if the account is not open.
    pub(crate) fn account_sampled(&mut self, time: Nanos, sample: AccountSampled) -> bool {
        let Self {
            accounts,
            extents,
            changes,
            ..
        } = self;
        let Some(account) = accounts.sample(time, sample) else {
            return false;
        };
        changes.account(account);
        if sample.stack.is_some() {
            // Extents without a stack have the stack of their account.
            extents.each_of(sample.account, |extent| changes.extent(extent));
        }
        true
    }

    /// Opens an extent; returns false if there is no room. The caller has closed an earlier extent with the same id.
    pub(crate) fn extent_opened(&mut self, time: Nanos, opened: ExtentOpened) -> bool {
        let extent = self.extents.open(time, opened);
        extent.map(|extent| self.changes.extent(extent)).is_some()
    }

    /// Takes a new sample of an extent; returns false if the extent is not open.
    pub(crate) fn extent_sampled(&mut self, time: Nanos, sample: &ExtentSampled) -> bool {
        let extent = self.extents.sample(time, sample);
        extent.map(|extent| self.changes.extent(extent)).is_some()
    }

    /// Notes that less is known about an extent; returns false if the extent is not open.
    pub(crate) fn extent_marked(&mut self, time: Nanos, marked: ExtentMarked) -> bool {
        let extent = self.extents.mark(time, marked);
        extent.map(|extent| self.changes.extent(extent)).is_some()
    }

    /// Notes that the last reference to an open file is gone.
    pub(crate) fn file_released(&mut self, time: Nanos, file: FileId) -> bool {
        let Self {
            extents,
            accounts,
            changes,
            ..
        } = self;
        extents.file_released(time, file, |extent| changes.extent(extent));
        accounts.file_released(file, |account| changes.account(account));
        true
    }

    /// Ends an extent and returns its state; `None` if the extent is not open.
    pub(crate) fn extent_closed(&mut self, time: Nanos, extent: ExtentId) -> Option<ExtentState> {
        let closed = self.extents.close(extent)?;
        let Some(account) = self.accounts.get(closed.opened.account) else {
            return Some(closed);
        };
        if let Some(process) = self.processes.by_key.get_mut(&account.process) {
            process.hold_times.add(time.since(closed.since));
            self.changes.process(account.process, process);
        }
        if closed.shown.listed {
            self.changes.gone(account.process, closed.order());
        }
        Some(closed)
    }

    /// Returns the stack of a sample if the account has no stack yet.
    pub(crate) fn late_account_stack(&self, sample: &AccountSampled) -> Option<LateStack> {
        let account = self.accounts.get(sample.account)?;
        let stack = sample.stack.filter(|_| account.opened.stack.is_none())?;
        Some(LateStack {
            account: sample.account,
            extent: None,
            stack,
        })
    }

    /// Returns the stack of a sample if the extent has no stack yet.
    pub(crate) fn late_extent_stack(&self, sample: &ExtentSampled) -> Option<LateStack> {
        let state = self.extents.get(sample.extent)?;
        let stack = sample.stack.filter(|_| state.opened.stack.is_none())?;
        Some(LateStack {
            account: state.opened.account,
            extent: Some((state.opened.address, state.since)),
            stack,
        })
    }

    /// Sets the rates of every process over a tick of `seconds`.
    pub(crate) fn tick(&mut self, seconds: f64) {
        self.processes.tick(&self.accounts, seconds, &mut self.changes);
    }

    /// Forgets the processes that ended longest ago and hold nothing, until `keep` such processes are left. The pages
    /// of forgotten processes stay in the totals by subsystem. Returns their accounts, which are no longer open.
    pub(crate) fn forget_ended(&mut self, keep: usize) -> Vec<AccountState> {
        let forgotten = self
            .processes
            .forget_ended(&self.accounts, keep, &mut self.changes);
        let removed = forgotten
            .into_iter()
            .filter_map(|account| self.accounts.remove(account));
        let removed: Vec<_> = removed.collect();
        for account in &removed {
            self.unlist_extents(account);
        }
        removed
    }

    /// The process of a removed account no longer lists the extents of the account.
    fn unlist_extents(&mut self, account: &AccountState) {
        let Self { extents, changes, .. } = self;
        extents.each_of(account.opened.account, |extent| {
            if std::mem::take(&mut extent.shown.listed) {
                changes.gone(account.process, extent.order());
            }
        });
    }

    /// Returns the process that owns an account; the default if the account is unknown.
    pub(crate) fn holder(&self, account: Option<&AccountState>) -> PinHolder {
        let Some(account) = account else {
            return PinHolder::default();
        };
        let comm = self.comm_of(account.process);
        PinHolder {
            pid: account.process.0,
            comm: if comm.is_empty() {
                account.opened.comm.clone()
            } else {
                comm
            },
        }
    }

    /// Returns the command name of a process, from `/proc` if it was read, else from its accounts; empty if unknown.
    pub(crate) fn comm_of(&self, process: ProcessKey) -> String {
        let state = self.processes.by_key.get(&process);
        let names = state.map(|state| {
            let seen = state.seen.as_ref().map(|seen| seen.comm.as_str());
            [seen.unwrap_or_default(), state.account_comm.as_str()]
        });
        let comm = names.iter().flatten().find(|name| !name.is_empty());
        comm.copied().unwrap_or_default().to_owned()
    }

    /// Makes room for a process if necessary, by forgetting ended processes, and returns their accounts. Forgetting walks
    /// all processes, and therefore waits until 1/64 of the table has ended.
    pub(crate) fn make_room(&mut self) -> Vec<AccountState> {
        if !self.processes.is_full() || self.ended_since <= limits::PROCESSES / 64 {
            return Vec::new();
        }
        self.ended_since = 0;
        self.forget_ended(limits::PROCESSES / 2)
    }
}
