//! Follows the accounts of the ledger: emits the opening of each account once, each change, and the end once.

mod emitted_account;
mod ends;
mod samples;
mod scanned;

use std::path::PathBuf;

use hashbrown::{HashMap, HashSet};

use pintrace_common::ledger::Account;
use pintrace_common::reconcile::caller;

use pintrace_events::units::{AccountId, Nanos, Pid, Tid};
use pintrace_events::{AccountOpened, Body, ProcessSeen};
use pintrace_kernel::process;
use pintrace_source::ledger::Ledger;

use super::emitter::Emitter;
use super::late_stacks::LateStacks;
use super::preexisting_file::PreexistingFile;
use super::processes::Processes;
use emitted_account::EmittedAccount;
use scanned::{evidence, likely_subsystem};

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
}

/// Converts a command name of the kernel. A zero byte ends the name unless the name fills the array.
pub(super) fn comm(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
