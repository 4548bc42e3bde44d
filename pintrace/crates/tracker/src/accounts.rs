//! Follows the accounts of the ledger: emits the opening of each account once, each change, and the end once.

use std::path::PathBuf;

use hashbrown::{HashMap, HashSet};

use pintrace_common::holder_kind;
use pintrace_common::ledger::Account;
use pintrace_common::reconcile::caller;

use pintrace_events::units::{AccountId, Nanos, Pid, Tid};
use pintrace_events::{AccountOpened, AccountSampled, Body, Evidence, ProcessExited, ProcessSeen};
use pintrace_kernel::process;
use pintrace_source::ledger::{Ledger, LedgerError};

use super::emitter::Emitter;
use super::late_stacks::LateStacks;
use super::preexisting_file::PreexistingFile;
use super::processes::Processes;

/// One account as last emitted.
struct EmittedAccount {
    id: AccountId,
    account: Account,
    /// See [`AccountSampled::unclear_releases`].
    unclear_releases: u64,
}

impl EmittedAccount {
    fn tgid(&self) -> u32 {
        self.account.key.tgid()
    }

    /// Returns true if the account held no pages when last emitted.
    fn holds_nothing(&self) -> bool {
        self.account.acquired == self.account.released
    }

    /// Returns true if nothing but the stack has changed since the account was last emitted.
    fn is_current(&self, now: &Account) -> bool {
        let stack = self.account.stack;
        self.account == Account { stack, ..*now }
    }
}

/// Accounts as last emitted, and the processes of the accounts.
pub(super) struct Accounts {
    proc: PathBuf,
    /// By the kernel's account id, which is reused.
    emitted: HashMap<u32, EmittedAccount>,
    next_account: u32,
    /// Freed account ids, each with the opening time that the map entry still shows.
    free: HashMap<u32, u64>,
    late_stacks: LateStacks,
    /// Running processes whose names were emitted.
    processes: Processes,
    /// Exit times of processes with accounts, by pid: an account that opened later belongs to another process.
    ended: HashMap<u32, u64>,
    /// Number of processes that ended before their name could be read.
    unread: u64,
    /// Accounts whose pin calls have changed since the last sample, by the kernel's account id.
    called: Vec<u32>,
    /// The open files of preexisting pins, by process and number.
    preexisting_files: HashMap<(u32, u32), PreexistingFile>,
}

impl Accounts {
    pub(super) fn new(proc: PathBuf) -> Self {
        Self {
            processes: Processes::new(proc.clone()),
            proc,
            emitted: HashMap::new(),
            next_account: 1,
            free: HashMap::new(),
            late_stacks: LateStacks::default(),
            ended: HashMap::new(),
            unread: 0,
            called: Vec::new(),
            preexisting_files: HashMap::new(),
        }
    }

    /// Says which open file of a process the number in the key of an account stands for ([`Account::key`]).
    pub(super) fn name_file(&mut self, pid: u32, number: u32, file: PreexistingFile) {
        self.preexisting_files.insert((pid, number), file);
    }

    /// Returns the accounts whose pin calls have changed since the last call, by the kernel's account id. Short-term calls
    /// that succeed are left out.
    pub(super) fn take_called(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.called)
    }

    /// Returns the id in the stream of an account of a thread, by the kernel's account id.
    pub(super) fn of_thread(&self, account: u64, pid_tgid: u64) -> Option<AccountId> {
        let emitted = self.emitted.get(&u32::try_from(account).ok()?)?;
        (emitted.account.key.pid_tgid == pid_tgid).then_some(emitted.id)
    }

    /// Returns the command name of a process, which may have no account yet; empty if the process has ended.
    pub(super) fn comm_of(&self, pid: u32) -> String {
        process::read(&self.proc, pid).unwrap_or_default().comm
    }

    /// Returns the pages that the accounts of one origin held when last emitted: see [`caller`].
    pub(super) fn held_by(&self, origin: u64) -> u64 {
        let accounts = self.emitted.values().map(|emitted| &emitted.account);
        accounts
            .filter(|account| caller::origin(account.key.caller) == Some(origin))
            .map(|account| account.acquired.saturating_sub(account.released))
            .sum()
    }

    /// Returns the number of accounts whose stack the kernel did not take.
    pub(super) fn stackless(&self) -> u64 {
        self.late_stacks.never()
    }

    /// Returns the number of processes that ended before their name could be read.
    pub(super) fn unread(&self) -> u64 {
        self.unread
    }

    /// The process exited at `time_ns`. Returns false if the process was not emitted, or its end was emitted before.
    pub(super) fn process_exited(&mut self, pid: u32, time_ns: u64) -> bool {
        self.ended.insert(pid, time_ns);
        self.processes.exited(pid)
    }

    /// Exit records may have been lost: [`Self::end_lost`] compares with /proc.
    pub(super) fn check_ends(&mut self) {
        self.processes.check_ends();
    }

    /// Emits the ends of processes that ended without an exit record. The caller has read the ring buffer since the last
    /// call.
    pub(super) fn end_lost(&mut self, now: Nanos, out: &mut Emitter) {
        for lost in self.processes.take_lost_ends() {
            self.ended.insert(lost.pid, lost.ended_ns);
            let exited = ProcessExited {
                pid: Pid(lost.pid),
                ..ProcessExited::default()
            };
            out.push(now, Body::ProcessExited(exited));
        }
    }

    /// The process executed a new program, which has other names.
    pub(super) fn process_execed(&mut self, time: Nanos, pid: u32, out: &mut Emitter) {
        if !self.processes.contains(pid) {
            return;
        }
        match process::read(&self.proc, pid) {
            Some(seen) => out.push(time, Body::ProcessSeen(seen)),
            None => self.unread += 1,
        }
        out.push(time, Body::ProcessExeced(Pid(pid)));
    }

    /// Emits each account that changed since the last sample. With `last`, no late stack is waited for.
    pub(super) fn sample(
        &mut self,
        now: Nanos,
        last: bool,
        ledger: &Ledger,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        let any_unclear = ledger.totals()?.ambiguous_owner != 0;
        for id in ledger.account_ids()? {
            let account = ledger.account(id)?;
            let unused = account.opened_ns == 0 && account.acquired == 0;
            if unused || self.was_freed(id, account.opened_ns) {
                continue;
            }
            self.open(id, &account, ledger, out);
            let unclear = if any_unclear {
                ledger.unclear_releases(id, &account)?
            } else {
                0
            };
            self.sample_one(now, last, id, (&account, unclear), ledger, out);
        }
        Ok(())
    }

    /// Frees the accounts of exited processes that hold no pages. If more than half of the account table is in use,
    /// frees also the accounts of exited threads. The caller samples the accounts before.
    pub(super) fn close(
        &mut self,
        now: Nanos,
        ledger: &mut Ledger,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        let short = self.emitted.len() > ledger.account_capacity() / 2;
        let done: Vec<u32> = self
            .emitted
            .iter()
            .filter(|(id, emitted)| **id != 0 && emitted.holds_nothing())
            .filter(|(_, emitted)| self.has_ended(emitted) || short && self.thread_has_ended(emitted))
            .map(|(id, _)| *id)
            .collect();
        for id in done {
            // Between the sample and its end, the thread may have pinned. Since the end it cannot, so the account is read
            // again only now. A changed account is left to the next sample.
            let account = ledger.account(id)?;
            let Some(emitted) = self.emitted.get(&id).filter(|one| one.is_current(&account)) else {
                continue;
            };
            let closed = emitted.id;
            ledger.free_account(id, account.key)?;
            self.emitted.remove(&id);
            self.free.insert(id, account.opened_ns);
            out.push(now, Body::AccountClosed(closed));
        }
        self.ended
            .retain(|tgid, _| self.emitted.values().any(|emitted| emitted.tgid() == *tgid));
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

    /// Returns true if an exited process held pages at the last sample.
    pub(super) fn ended_hold(&self) -> bool {
        self.emitted
            .values()
            .any(|emitted| self.has_ended(emitted) && !emitted.holds_nothing())
    }

    /// Returns the id in the stream of an account that was emitted, and not freed since. The kernel gives an account id to
    /// another account only after this process has freed the id.
    pub(super) fn emitted(&self, id: u32) -> Option<AccountId> {
        self.emitted.get(&id).map(|emitted| emitted.id)
    }

    /// Returns the ids in the stream of the accounts that were emitted and not freed since.
    pub(super) fn open_ids(&self) -> HashSet<AccountId> {
        self.emitted.values().map(|emitted| emitted.id).collect()
    }

    /// Returns the number of accounts that were emitted and not freed since.
    pub(super) fn open_accounts(&self) -> usize {
        self.emitted.len()
    }

    /// Returns true if an account was emitted and freed. A record about the account may arrive later: of an account that
    /// opened after the ring buffer was read, that a sample found in the map, and whose thread has ended.
    pub(super) fn was_freed(&self, id: u32, opened_ns: u64) -> bool {
        self.free.get(&id) == Some(&opened_ns)
    }

    /// Emits the opening of an account if the account is new. Returns the id of the account in the stream.
    pub(super) fn open(
        &mut self,
        id: u32,
        account: &Account,
        ledger: &Ledger,
        out: &mut Emitter,
    ) -> AccountId {
        if let Some(emitted) = self.emitted.get(&id)
            && emitted.account.opened_ns == account.opened_ns
        {
            return emitted.id;
        }
        let time = Nanos(account.opened_ns);
        let pid = account.key.tgid();
        let comm = comm(&account.comm);
        let from_scan = caller::origin(account.key.caller).is_some();
        if id != 0 && pid != 0 && self.processes.add(pid) {
            if from_scan {
                // No hook has seen the process. It may have ended before the account was opened.
                self.processes.check_ends();
            }
            let seen = process::read(&self.proc, pid).unwrap_or_else(|| {
                self.unread += 1;
                ProcessSeen {
                    pid: Pid(pid),
                    comm: comm.clone(),
                    ..ProcessSeen::default()
                }
            });
            out.push(time, Body::ProcessSeen(seen));
        }
        let stack = out.stack(time, account.stack, ledger);
        if !from_scan {
            out.address(time, account.key.caller);
        }
        let emitted = AccountId(self.next_account);
        self.next_account += 1;
        let found = if from_scan {
            let file = self.preexisting_files.get(&(pid, account.key.started));
            file.copied().unwrap_or_default()
        } else {
            PreexistingFile::default()
        };
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
            likely_subsystem: likely_subsystem(account).to_owned(),
            evidence: evidence(account),
            file: found.file,
            descriptor: found.descriptor,
        };
        out.push(time, Body::AccountOpened(opened));
        let fresh = if self.was_freed(id, account.opened_ns) {
            // Its pages were emitted before it was freed, and count once.
            *account
        } else {
            Account {
                key: account.key,
                opened_ns: account.opened_ns,
                stack: account.stack,
                ..Account::default()
            }
        };
        self.free.remove(&id);
        self.emitted.insert(
            id,
            EmittedAccount {
                id: emitted,
                account: fresh,
                unclear_releases: 0,
            },
        );
        emitted
    }

    fn sample_one(
        &mut self,
        now: Nanos,
        last: bool,
        id: u32,
        (account, unclear_releases): (&Account, u64),
        ledger: &Ledger,
        out: &mut Emitter,
    ) {
        let Some(emitted) = self.emitted.get_mut(&id) else {
            return;
        };
        let age = Nanos(now.0.saturating_sub(account.opened_ns));
        let before = (emitted.account, emitted.unclear_releases);
        let late = self
            .late_stacks
            .update(&mut emitted.account.stack, account.stack, age, last);
        emitted.account = Account {
            stack: emitted.account.stack,
            ..*account
        };
        emitted.unclear_releases = unclear_releases;
        // Account 0 has the calls for which no account was free.
        let calls = |account: &Account| match account.key.longterm {
            0 if id != 0 => (0, account.failed),
            _ => (account.calls, account.failed),
        };
        if calls(&before.0) != calls(account) {
            self.called.push(id);
        }
        if before == (emitted.account, emitted.unclear_releases) {
            return;
        }
        let mut sampled = AccountSampled {
            account: emitted.id,
            acquired: account.acquired,
            released: account.released,
            bytes_held: account.bytes_held,
            huge_bytes_held: account.huge_bytes_held,
            calls: account.calls,
            held_since: Nanos(account.held_since_ns),
            not_exclusive: account.not_exclusive,
            stack: None,
            unclear_releases,
        };
        sampled.stack = late.and_then(|stack| out.stack(now, stack, ledger));
        out.push(now, Body::AccountSampled(sampled));
    }
}

/// Returns the subsystem that a scan found for an account; empty for an account of a hook.
fn likely_subsystem(account: &Account) -> &'static str {
    let caller = account.key.caller;
    match caller::origin(caller) {
        Some(_) => {
            let kind = usize::try_from(caller::holder(caller)).unwrap_or_default();
            holder_kind::NAMES.get(kind).copied().unwrap_or_default()
        }
        None => "",
    }
}

/// Returns what showed a scan that the pins of an account belong to its process. `None` for an account of a hook, and
/// for pins that belong to no process.
fn evidence(account: &Account) -> Option<Evidence> {
    let caller = account.key.caller;
    caller::origin(caller).filter(|_| account.key.tgid() != 0)?;
    Some(match caller::evidence(caller) {
        caller::KERNEL_TABLE => Evidence::KernelTable,
        _ => Evidence::PageTables,
    })
}

/// Converts a command name of the kernel. A zero byte ends the name unless the name fills the array.
pub(super) fn comm(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_changed_after_the_sample_is_not_current() {
        let account = Account {
            acquired: 8,
            released: 8,
            calls: 1,
            opened_ns: 5,
            ..Account::default()
        };
        let emitted = EmittedAccount {
            id: AccountId(1),
            account,
            unclear_releases: 0,
        };
        assert!(emitted.holds_nothing() && emitted.is_current(&account));
        // The stack came late: the pages are the same.
        assert!(emitted.is_current(&Account { stack: 3, ..account }));
        let held = Account {
            acquired: 9,
            ..account
        };
        // The pages of the last call are missing in the totals that were emitted.
        let released = Account { released: 9, ..held };
        let failed = Account { failed: 1, ..account };
        let next = Account {
            opened_ns: 6,
            ..account
        };
        for changed in [held, released, failed, next] {
            assert!(!emitted.is_current(&changed));
        }
    }
}
