//! The pin calls of each account, and the rows by process and subsystem.

use std::collections::BTreeMap;
use std::sync::Arc;

use pintrace_events::units::{AccountId, Pid};
use pintrace_events::{PinCallsSampled, Registration};

use crate::limits;
use crate::pins::{AccountState, Pins, ProcessKey};
use crate::registrations::RegistrationTable;
use crate::resolve::Resolver;
use crate::stack::Origin;
use crate::subsystem::Subsystem;

use super::totals::CallTotals;

/// The pin calls of a process through one subsystem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinCallRow {
    /// Thread group id.
    pub pid: Pid,
    /// At least the number of earlier processes with the same pid. It tells them apart: a later one has a larger number.
    pub earlier_processes: u32,
    /// Command name.
    pub comm: String,
    /// cgroup v2 path; empty if unread.
    pub cgroup: String,
    /// The process has ended.
    pub ended: bool,
    /// Subsystem that makes the calls.
    pub subsystem: Subsystem,
    /// Totals of the calls.
    pub totals: CallTotals,
    /// Registrations that the kernel refused. It may have pinned the pages before it refused.
    pub refused: u64,
}

/// The pin calls of all accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct PinCallTable {
    open: BTreeMap<AccountId, CallTotals>,
    /// Totals of all closed accounts.
    host: BTreeMap<Origin, CallTotals>,
    /// The rows are not those of the present totals.
    stale: bool,
    rows: Arc<[PinCallRow]>,
    by_subsystem: Arc<BTreeMap<Subsystem, CallTotals>>,
}

impl PinCallTable {
    /// Takes the totals of an account; returns false if the account is not open.
    pub(crate) fn sample(&mut self, sample: &PinCallsSampled, pins: &Pins) -> bool {
        if pins.accounts.get(sample.account).is_none() {
            return false;
        }
        self.open.entry(sample.account).or_default().sample(sample);
        self.stale = true;
        true
    }

    /// Moves the totals of an account that is about to be closed.
    pub(crate) fn close(&mut self, account: AccountId, pins: &mut Pins) {
        let Some(totals) = self.open.remove(&account) else {
            return;
        };
        self.stale = true;
        let Some(account) = pins.accounts.get(account) else {
            return;
        };
        pins.processes.retire_calls(account, &totals);
        self.add_to_host(account.origin(), &totals);
    }

    /// Moves the totals of accounts that were open when their processes were forgotten.
    pub(crate) fn forgotten(&mut self, accounts: &[AccountState]) {
        self.stale = true;
        for account in accounts {
            if let Some(totals) = self.open.remove(&account.opened.account) {
                self.add_to_host(account.origin(), &totals);
            }
        }
    }

    fn add_to_host(&mut self, origin: Origin, totals: &CallTotals) {
        let known = self.host.len() < limits::STACKS || self.host.contains_key(&origin);
        let origin = if known { origin } else { Origin::default() };
        self.host.entry(origin).or_default().add(totals);
    }

    /// The account has a stack that arrived later.
    pub(crate) fn account_changed(&mut self, account: AccountId) {
        self.stale |= self.open.contains_key(&account);
    }

    /// Processes have other names, have ended or were forgotten.
    pub(crate) fn processes_changed(&mut self) {
        self.stale = true;
    }

    /// Registrations were refused.
    pub(crate) fn registrations_changed(&mut self) {
        self.stale = true;
    }

    /// Brings the rows up to date. If `anew`, subsystems may have other names.
    pub(crate) fn update(
        &mut self,
        pins: &Pins,
        registrations: &RegistrationTable,
        anew: bool,
        resolver: &mut Resolver<'_>,
    ) {
        if !anew && !self.stale {
            return;
        }
        self.stale = false;
        let mut rows: BTreeMap<(ProcessKey, Subsystem), CallTotals> = BTreeMap::new();
        let mut sums: BTreeMap<Subsystem, CallTotals> = BTreeMap::new();
        for (account, totals) in &self.open {
            let Some(account) = pins.accounts.get(*account) else {
                continue;
            };
            let subsystem = resolver.subsystem(account.origin());
            let sums = [
                rows.entry((account.process, subsystem)).or_default(),
                sums.entry(subsystem).or_default(),
            ];
            for sum in sums {
                sum.add(totals);
            }
        }
        for (process, state) in &pins.processes.by_key {
            for (origin, totals) in &state.past.calls {
                let subsystem = resolver.subsystem(*origin);
                rows.entry((*process, subsystem)).or_default().add(totals);
            }
        }
        for (origin, totals) in &self.host {
            sums.entry(resolver.subsystem(*origin)).or_default().add(totals);
        }
        self.rows = rows
            .into_iter()
            .map(|((process, subsystem), totals)| PinCallRow {
                refused: refused(process, subsystem, pins, registrations),
                ..row(process, subsystem, totals, pins)
            })
            .collect();
        self.by_subsystem = Arc::new(sums);
    }

    /// Returns the latest registration of an account.
    pub(super) fn latest(&self, account: AccountId) -> Option<Registration> {
        self.open.get(&account).map(|totals| totals.latest)
    }

    /// Returns the rows, by process and subsystem.
    pub(crate) fn rows(&self) -> Arc<[PinCallRow]> {
        Arc::clone(&self.rows)
    }

    /// Returns the totals of the host by subsystem.
    pub(crate) fn by_subsystem(&self) -> Arc<BTreeMap<Subsystem, CallTotals>> {
        Arc::clone(&self.by_subsystem)
    }
}

/// Returns the registrations of a process that were refused. The table knows processes by their pid, so they are those of the
/// last process with the pid.
fn refused(process: ProcessKey, subsystem: Subsystem, pins: &Pins, registrations: &RegistrationTable) -> u64 {
    let is_last = pins.processes.latest(process.0) == Some(process);
    if is_last {
        registrations.refused(process.0, subsystem)
    } else {
        0
    }
}

fn row(process: ProcessKey, subsystem: Subsystem, totals: CallTotals, pins: &Pins) -> PinCallRow {
    let state = pins.processes.by_key.get(&process);
    let seen = state.and_then(|state| state.seen.as_ref());
    PinCallRow {
        pid: process.0,
        earlier_processes: process.1,
        comm: pins.comm_of(process),
        cgroup: seen.map(|seen| seen.cgroup.clone()).unwrap_or_default(),
        ended: state.is_none_or(|state| state.ended.is_some()),
        subsystem,
        totals,
        refused: 0,
    }
}
