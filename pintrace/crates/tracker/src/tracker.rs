//! Follows the kernel-side ledger and tells it as events: each account and extent opened once,
//! sampled when it changed, closed once, also when the record of its opening was lost.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use pintrace_common::ledger::{Account, Extent};
use pintrace_common::reconcile::caller;

use pintrace_events::units::{AccountId, Nanos, Pid, StackId, Tid};
use pintrace_events::{AccountOpened, AccountSampled, AddressSpaceId, Body, Event, MmId, ProcessSeen};
use pintrace_source::decode::Record;
use pintrace_source::ledger::{Ledger, LedgerError};

use super::changing::Changing;
use super::exit;
use super::extents::Occasion;
use super::late_stacks::LateStacks;
use super::mm_events::MmEvents;
use super::names::Names;
use pintrace_kernel::process;

/// One account as it was last told.
struct EmittedAccount {
    id: AccountId,
    account: Account,
}

impl EmittedAccount {
    fn tgid(&self) -> u32 {
        self.account.key.tgid()
    }
}

/// What has been told so far.
pub struct Tracker {
    pub(super) proc: PathBuf,
    pub(super) names: Names,
    /// By the kernel's account id, which is used again.
    accounts: HashMap<u32, EmittedAccount>,
    next_account: u32,
    /// Slots given back, with the opening time of what they still show.
    free: HashMap<u32, u64>,
    pub(super) extents: HashMap<u32, Extent>,
    pub(super) changing: Changing,
    /// When the ring was read last: what was pinned later may have records in it.
    pub(super) read: Nanos,
    /// Records were lost, and what they told has not been made up for.
    pub(super) after_loss: bool,
    pub(super) late_stacks: LateStacks,
    processes: HashSet<u32>,
    /// When processes ended that have accounts, by pid: what was opened later is another one's.
    ended: HashMap<u32, u64>,
    /// The subsystem that a process's descriptors point at, by pid.
    likely_subsystems: HashMap<u32, String>,
    unread: u64,
    pub(super) mm_events: MmEvents,
    events: Vec<Event>,
}

impl Tracker {
    /// Nothing told yet. The thread that traces must not trace itself away: names come from `proc`.
    pub fn new(proc: PathBuf, names: Names) -> Self {
        Self {
            proc,
            names,
            accounts: HashMap::new(),
            next_account: 1,
            free: HashMap::new(),
            extents: HashMap::new(),
            changing: Changing::default(),
            read: Nanos(0),
            after_loss: false,
            late_stacks: LateStacks::default(),
            processes: HashSet::new(),
            ended: HashMap::new(),
            likely_subsystems: HashMap::new(),
            unread: 0,
            mm_events: MmEvents::default(),
            events: Vec::new(),
        }
    }

    /// What descriptors point at, for a process whose pins no hook saw.
    pub fn set_likely_subsystem(&mut self, pid: u32, subsystem: String) {
        self.likely_subsystems.insert(pid, subsystem);
    }

    /// Pins that accounts for pins of that caller hold, as they were last told: see [`pintrace_common::reconcile::caller`].
    pub fn held_by(&self, caller: u64) -> u64 {
        let accounts = self.accounts.values().map(|emitted| &emitted.account);
        accounts
            .filter(|account| account.key.caller == caller)
            .map(|account| account.acquired.saturating_sub(account.released))
            .sum()
    }

    /// Accounts whose stack the kernel did not take.
    pub fn stackless(&self) -> u64 {
        self.late_stacks.never()
    }

    /// Processes that ended before their name could be read.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Takes the events told since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The ring is read now. `doubt`: records were lost, and what they told has not been made up for.
    pub fn reading(&mut self, now: Nanos, after_loss: bool) {
        (self.read, self.after_loss) = (now, after_loss);
    }

    /// Tells one record.
    pub fn record(&mut self, record: &Record, ledger: &Ledger) -> Result<(), LedgerError> {
        match record {
            Record::AccountOpened(opened) => {
                let mut account = opened.account;
                let now = ledger.account(opened.header.id)?;
                if now.opened_ns == account.opened_ns {
                    account.stack = now.stack;
                    // One for pins that no hook saw was opened by us, and gets its name afterwards.
                    account.comm = now.comm;
                }
                self.open_account(opened.header.id, &account, ledger);
            }
            Record::ExtentOpened(opened) => {
                let mut extent = opened.extent;
                let now = ledger.extent(opened.header.id)?;
                if now.opened_ns == extent.opened_ns {
                    extent.stack = now.stack;
                }
                let time = Nanos(opened.header.time_ns);
                self.open_extent(time, opened.header.id, &extent, ledger)?;
            }
            Record::ExtentClosed(closed) => self.close_extent(closed),
            Record::ExtentPartiallyReleased(partially_released) => {
                let marks = if partially_released.ambiguous_owner == 0 {
                    Extent::PARTIALLY_RELEASED
                } else {
                    Extent::INEXACT_MARKS
                };
                self.emit_partial_release(
                    Nanos(partially_released.header.time_ns),
                    partially_released.header.id,
                    marks,
                );
            }
            Record::ProcessExited(exited) => {
                self.ended.insert(exited.header.id, exited.header.time_ns);
                self.processes.remove(&exited.header.id);
                let body = Body::ProcessExited(exit::unpack(exited));
                self.push(Nanos(exited.header.time_ns), body);
            }
            Record::MappingChanged(touched) => {
                self.sample_changing(touched, ledger)?;
                self.mapping_changed(touched, ledger);
            }
            Record::MmOrAddressSpaceGone(ended) => {
                let body = match ended.header.id {
                    0 => Body::MmExited(MmId(ended.within)),
                    _ => Body::AddressSpaceFreed(AddressSpaceId(ended.within)),
                };
                self.push(Nanos(ended.header.time_ns), body);
            }
        }
        Ok(())
    }

    /// Tells every account and extent that changed since it was last told. If it is the `last` time, nothing is
    /// waited for.
    pub fn sample(&mut self, now: Nanos, last: bool, ledger: &Ledger) -> Result<(), LedgerError> {
        for id in ledger.account_ids()? {
            let account = ledger.account(id)?;
            let unused = account.opened_ns == 0 && account.acquired == 0;
            if unused || self.free.get(&id) == Some(&account.opened_ns) {
                continue;
            }
            self.open_account(id, &account, ledger);
            self.sample_account(now, last, id, &account, ledger);
        }
        let occasion = if last { Occasion::End } else { Occasion::Tick };
        let open: Vec<u32> = self.extents.keys().copied().collect();
        for index in open {
            let extent = ledger.extent(index)?;
            self.sample_extent(now, occasion, index, &extent, ledger);
        }
        Ok(())
    }

    /// Gives back the accounts of processes that have ended and hold nothing; when accounts run
    /// short, those of ended threads too. All of it has been sampled just before.
    pub fn close_accounts(&mut self, now: Nanos, ledger: &mut Ledger) -> Result<(), LedgerError> {
        let short = self.accounts.len() > ledger.account_capacity() / 2;
        let done: Vec<u32> = self
            .accounts
            .iter()
            .filter(|(id, emitted)| **id != 0 && emitted.account.acquired == emitted.account.released)
            .filter(|(_, emitted)| self.has_ended(emitted) || short && self.thread_has_ended(emitted))
            .map(|(id, _)| *id)
            .collect();
        for id in done {
            if let Some(emitted) = self.accounts.remove(&id) {
                ledger.free_account(id, emitted.account.key)?;
                self.free.insert(id, emitted.account.opened_ns);
                self.push(now, Body::AccountClosed(emitted.id));
            }
        }
        self.ended
            .retain(|tgid, _| self.accounts.values().any(|emitted| emitted.tgid() == *tgid));
        Ok(())
    }

    fn has_ended(&self, emitted: &EmittedAccount) -> bool {
        let ended = self.ended.get(&emitted.tgid());
        ended.is_some_and(|ended| emitted.account.opened_ns <= *ended)
    }

    fn thread_has_ended(&self, emitted: &EmittedAccount) -> bool {
        let task = format!("{}/task/{}", emitted.tgid(), emitted.account.key.tid());
        !self.proc.join(task).exists()
    }

    /// Whether a process that has ended held something when last sampled.
    pub fn ended_hold(&self) -> bool {
        self.accounts
            .values()
            .any(|emitted| self.has_ended(emitted) && emitted.account.acquired != emitted.account.released)
    }

    pub(super) fn open_account(&mut self, id: u32, account: &Account, ledger: &Ledger) -> AccountId {
        if let Some(emitted) = self.accounts.get(&id)
            && emitted.account.opened_ns == account.opened_ns
        {
            return emitted.id;
        }
        let time = Nanos(account.opened_ns);
        let pid = account.key.tgid();
        let comm = comm(&account.comm);
        let from_scan = matches!(account.key.caller, caller::PREEXISTING | caller::RECONCILED);
        if id != 0 && pid != 0 && self.processes.insert(pid) {
            let seen = process::read(&self.proc, pid).unwrap_or_else(|| {
                self.unread += 1;
                ProcessSeen {
                    pid: Pid(pid),
                    comm: comm.clone(),
                    ..ProcessSeen::default()
                }
            });
            self.push(time, Body::ProcessSeen(seen));
        }
        let mut named = Vec::new();
        let stack = self.names.stack(account.stack, |id| ledger.stack(id), &mut named);
        if !from_scan {
            self.names.address(account.key.caller, &mut named);
        }
        self.push_all(time, named);
        let emitted = AccountId(self.next_account);
        self.next_account += 1;
        let opened = AccountOpened {
            account: emitted,
            pid: Pid(pid),
            tid: Tid(account.key.tid()),
            comm,
            mm: account.key.mm,
            caller: if from_scan { 0 } else { account.key.caller },
            longterm: account.key.longterm != 0,
            cgroup: if from_scan { 0 } else { account.cgroup },
            stack,
            from_scan,
            likely_subsystem: self
                .likely_subsystems
                .get(&pid)
                .filter(|_| from_scan)
                .cloned()
                .unwrap_or_default(),
        };
        self.push(time, Body::AccountOpened(opened));
        let fresh = Account {
            key: account.key,
            opened_ns: account.opened_ns,
            stack: account.stack,
            ..Account::default()
        };
        self.free.remove(&id);
        self.accounts.insert(
            id,
            EmittedAccount {
                id: emitted,
                account: fresh,
            },
        );
        emitted
    }

    fn sample_account(&mut self, now: Nanos, last: bool, id: u32, account: &Account, ledger: &Ledger) {
        let Some(emitted) = self.accounts.get_mut(&id) else {
            return;
        };
        let age = Nanos(now.0.saturating_sub(account.opened_ns));
        let before = emitted.account;
        let late = self
            .late_stacks
            .update(&mut emitted.account.stack, account.stack, age, last);
        emitted.account = Account {
            stack: emitted.account.stack,
            ..*account
        };
        if before == emitted.account {
            return;
        }
        let mut sampled = AccountSampled {
            account: emitted.id,
            acquired: account.acquired,
            released: account.released,
            bytes_held: account.bytes_held,
            calls: account.calls,
            held_since: Nanos(account.held_since_ns),
            stack: None,
        };
        sampled.stack = self.late_stack(now, late, ledger);
        self.push(now, Body::AccountSampled(sampled));
    }

    /// Names a stack that has come later.
    pub(super) fn late_stack(&mut self, now: Nanos, stack: Option<i64>, ledger: &Ledger) -> Option<StackId> {
        let mut named = Vec::new();
        let stack = self.names.stack(stack?, |id| ledger.stack(id), &mut named);
        self.push_all(now, named);
        stack
    }

    pub(super) fn push_all(&mut self, time: Nanos, bodies: Vec<Body>) {
        self.events
            .extend(bodies.into_iter().map(|body| Event { time, body }));
    }

    pub(super) fn push(&mut self, time: Nanos, body: Body) {
        self.events.push(Event { time, body });
    }
}

/// A command name as the kernel keeps it: ended by a zero byte, unless it is as long as it may be.
pub(super) fn comm(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
