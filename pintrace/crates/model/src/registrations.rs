//! Registrations of memory that the kernel refused, and what is used of the limit.

mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;

use pintrace_common::registrations::kind;
use pintrace_events::RegistrationFailed;
use pintrace_events::units::Pid;

use crate::limits;
use crate::pins::{Pins, ProcessKey};
use crate::stack::StackTable;
use crate::subsystem::Subsystem;

use text::ChargedTo;
pub use text::{call_name, sentence};

/// Most processes named as users of a limit: those that hold most.
const MOST_HOLDERS: usize = 3;

/// Registrations of a process that failed alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedRegistration {
    /// The figures of the last one, and the number.
    pub failed: RegistrationFailed,
    /// Processes of the same user that held registered memory at that time, largest first, with the pages held. Only pins
    /// that the kernel charges to the user: those of io_uring and AF_XDP.
    pub holders: Vec<(Pid, String, u64)>,
    /// Pages that all processes of the user held by such pins.
    pub held_by_user: u64,
}

/// Process, kind, operation and error number.
type Key = (Pid, u32, u32, u32);

/// The failed registrations of all processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegistrationTable {
    by_key: BTreeMap<Key, FailedRegistration>,
    /// Number of failures by kind, operation and error number.
    totals: BTreeMap<(u32, u32, u32), u64>,
}

impl RegistrationTable {
    /// Takes new figures. In a full table, the oldest entry gives way; its failures stay in the totals. Returns false if the
    /// table of totals is full.
    pub(crate) fn sample(&mut self, failed: &RegistrationFailed, pins: &Pins, stacks: &StackTable) -> bool {
        let key = (failed.pid, failed.kind, failed.operation, failed.errno);
        let more = failed.more.unwrap_or_else(|| {
            let before = self.by_key.get(&key).map_or(0, |one| one.failed.count);
            // A process that has got the pid of an ended process counts from 0.
            failed.count.checked_sub(before).unwrap_or(failed.count)
        });
        let what = (failed.kind, failed.operation, failed.errno);
        let room = self.totals.len() < limits::FAILED_REGISTRATIONS || self.totals.contains_key(&what);
        if room {
            let total = self.totals.entry(what).or_insert(0);
            *total = total.saturating_add(more);
        }
        if self.by_key.len() >= limits::FAILED_REGISTRATIONS && !self.by_key.contains_key(&key) {
            let oldest = self.by_key.iter().min_by_key(|(_, one)| one.failed.last);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.by_key.remove(&oldest);
            }
        }
        self.by_key.insert(key, with_holders(failed, pins, stacks));
        room
    }

    /// Returns the failed registrations, the latest first.
    pub(crate) fn list(&self) -> Vec<FailedRegistration> {
        let mut list: Vec<_> = self.by_key.values().cloned().collect();
        list.sort_by_key(|one| std::cmp::Reverse(one.failed.last));
        list
    }

    /// Returns the number of failures of a process through a subsystem.
    pub(crate) fn refused(&self, pid: Pid, subsystem: Subsystem) -> u64 {
        let of_process = self
            .by_key
            .range((pid, 0, 0, 0)..=(pid, u32::MAX, u32::MAX, u32::MAX));
        let counts = of_process.filter(|((_, kind, ..), _)| subsystem_of(*kind) == subsystem);
        counts.fold(0, |sum, (_, one)| sum.saturating_add(one.failed.count))
    }

    /// Returns the number of failures by call and error number.
    pub(crate) fn totals(&self) -> BTreeMap<(Cow<'static, str>, u32), u64> {
        let mut totals = BTreeMap::new();
        for ((kind, operation, errno), count) in &self.totals {
            let sum: &mut u64 = totals.entry((call_name(*kind, *operation), *errno)).or_insert(0);
            *sum = sum.saturating_add(*count);
        }
        totals
    }
}

/// Returns the subsystem that makes registrations of a kind.
fn subsystem_of(of: u32) -> Subsystem {
    match of {
        kind::IO_URING_REGISTER | kind::IO_URING_SETUP => Subsystem::IoUring,
        kind::XDP_UMEM_REG => Subsystem::AfXdp,
        kind::RDMA => Subsystem::Rdma,
        kind::VFIO_MAP_DMA => Subsystem::Vfio,
        _ => Subsystem::Other,
    }
}

fn with_holders(failed: &RegistrationFailed, pins: &Pins, stacks: &StackTable) -> FailedRegistration {
    let mut held: BTreeMap<ProcessKey, u64> = BTreeMap::new();
    // The kernel charges other registrations to the process alone.
    let of_user = ChargedTo::of(failed.kind) == ChargedTo::User;
    for account in pins.accounts.registered().filter(|_| of_user) {
        let process = pins.processes.by_key.get(&account.process);
        let uid = process.and_then(|process| process.seen.as_ref()?.uid);
        let charged = [Subsystem::IoUring, Subsystem::AfXdp];
        if uid == Some(failed.uid) && charged.contains(&stacks.subsystem(account.origin())) {
            let pages = held.entry(account.process).or_insert(0);
            *pages = pages.saturating_add(account.pages_held());
        }
    }
    let held_by_user = held.values().copied().fold(0, u64::saturating_add);
    let mut holders: Vec<_> = held
        .into_iter()
        .map(|(process, pages)| (process.0, pins.comm_of(process), pages))
        .collect();
    holders.sort_by_key(|(pid, _, pages)| (std::cmp::Reverse(*pages), *pid));
    holders.truncate(MOST_HOLDERS);
    let mut failed = failed.clone();
    failed.comm = limits::clip(&failed.comm, limits::COMM_CHARS);
    FailedRegistration {
        failed,
        holders,
        held_by_user,
    }
}
