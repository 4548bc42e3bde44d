//! The ends of processes and of their accounts.

use pintrace_events::units::{Nanos, Pid};
use pintrace_events::{Body, ProcessExited};
use pintrace_source::ledger::{Ledger, LedgerError};

use super::super::emitter::Emitter;
use super::Accounts;
use super::emitted_account::EmittedAccount;

impl Accounts {
    /// The process exited at `time_ns`. Returns false if the process was not emitted, or its end was emitted before.
    pub(crate) fn process_exited(&mut self, pid: u32, time_ns: u64) -> bool {
        self.ended.insert(pid, time_ns);
        self.processes.exited(pid)
    }

    /// Exit records may have been lost: [`Self::end_lost`] compares with /proc.
    pub(crate) fn check_ends(&mut self) {
        self.processes.check_ends();
    }

    /// Emits the ends of processes that ended without an exit record. The caller has read the ring buffer since the last
    /// call.
    pub(crate) fn end_lost(&mut self, now: Nanos, out: &mut Emitter) {
        for lost in self.processes.take_lost_ends() {
            self.ended.insert(lost.pid, lost.ended_ns);
            let exited = ProcessExited {
                pid: Pid(lost.pid),
                ..ProcessExited::default()
            };
            out.push(now, Body::ProcessExited(exited));
        }
    }

    /// Frees the accounts of exited processes that hold no pages. If more than half of the account table is in use,
    /// frees also the accounts of exited threads. The caller samples the accounts before.
    pub(crate) fn close(
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
    pub(crate) fn ended_hold(&self) -> bool {
        self.emitted
            .values()
            .any(|emitted| self.has_ended(emitted) && !emitted.holds_nothing())
    }
}
