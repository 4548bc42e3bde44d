//! The BPF maps about pin calls, read from user space and typed.

use std::collections::BTreeMap;

use aya::Ebpf;
use aya::maps::{Array, HashMap, MapData, MapError};
use pintrace_common::ledger::Account;
use pintrace_common::limits;
use pintrace_common::pin_calls::{FailureKey, LongtermCall, PinCalls, phase};

use super::ledger::{LedgerError, take};
use pintrace_bpf::pod;

pod! {
    PodCall(LongtermCall);
    PodCalls(PinCalls);
    PodFailureKey(FailureKey);
}

/// The tables of the pin calls.
pub struct PinCallTables {
    in_flight: HashMap<MapData, u64, PodCall>,
    by_account: Array<MapData, PodCalls>,
    failures: HashMap<MapData, PodFailureKey, u64>,
}

/// Failed calls of each account, by error number.
pub type Failures = std::collections::HashMap<u32, BTreeMap<u32, u64>>;

/// Longest time in [`phase::FAST`]: gup-fast looks at a page in some ten nanoseconds. An older entry is left of a call whose
/// return the kernel skipped.
const MOST_FAST_NS: u64 = 10_000_000_000;

/// Most entries that one reading looks at.
const MOST_ENTRIES: usize = 2 * limits::LONGTERM_CALLS as usize;

impl PinCallTables {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LedgerError> {
        Ok(Self {
            in_flight: take(ebpf, "LONGTERM_CALLS")?.try_into()?,
            by_account: take(ebpf, "PIN_CALLS")?.try_into()?,
            failures: take(ebpf, "PIN_FAILURES")?.try_into()?,
        })
    }

    /// Returns the long-term calls in flight, each with the id of its task, tgid << 32 | tid.
    pub fn in_flight(&self) -> Result<BTreeMap<u64, LongtermCall>, LedgerError> {
        let now = monotonic_ns();
        self.entries(|call| is_in_flight(call, now))
    }

    /// Returns the ids of the tasks whose entries are older than `age` (ns), also of those that are not in flight any more.
    pub(super) fn tasks_since(&self, age: u64) -> Result<Vec<u64>, LedgerError> {
        let now = monotonic_ns();
        let old = self.entries(|call| now.saturating_sub(call.began_ns) > age)?;
        Ok(old.into_keys().collect())
    }

    fn entries(
        &self,
        is: impl Fn(&LongtermCall) -> bool,
    ) -> Result<BTreeMap<u64, LongtermCall>, LedgerError> {
        let mut calls = BTreeMap::new();
        // If an entry is removed while it is read, the kernel begins again with the first.
        for entry in self.in_flight.iter().take(MOST_ENTRIES) {
            match entry {
                Ok((task, call)) if is(&call.0) => {
                    calls.insert(task, call.0);
                }
                // The call has returned since the key was read.
                Ok(_) | Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(calls)
    }

    /// Returns the number of pages that the calls in flight ask for.
    pub fn wanted_in_flight(&self) -> Result<u64, LedgerError> {
        let calls = self.in_flight()?;
        let wanted = calls.values().map(|call| call.wanted);
        Ok(wanted.fold(0, u64::saturating_add))
    }

    /// Returns what the long-term calls of an account took.
    pub fn of_account(&self, id: u32) -> Result<PinCalls, LedgerError> {
        Ok(self.by_account.get(&id, 0)?.0)
    }

    /// Returns the failed calls of all accounts.
    pub fn failures(&self) -> Result<Failures, LedgerError> {
        let mut failures = Failures::new();
        for entry in self.failures.iter().take(2 * limits::PIN_FAILURES as usize) {
            match entry {
                Ok((key, count)) => {
                    failures
                        .entry(key.0.account)
                        .or_default()
                        .insert(key.0.errno, count);
                }
                Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(failures)
    }

    /// Clears what is kept of an account whose id is about to be free.
    pub(super) fn forget(&mut self, id: u32, account: &Account) -> Result<(), LedgerError> {
        if account.key.longterm != 0 {
            self.by_account.set(id, PodCalls(PinCalls::default()), 0)?;
        }
        if account.failed == 0 {
            return Ok(());
        }
        let errors = self.failures()?.remove(&id).unwrap_or_default();
        for errno in errors.into_keys() {
            let key = PodFailureKey(FailureKey { account: id, errno });
            match self.failures.remove(&key) {
                Ok(()) | Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn monotonic_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

fn is_in_flight(call: &LongtermCall, now: u64) -> bool {
    match call.phase {
        phase::DONE => false,
        phase::FAST => now.saturating_sub(call.began_ns) < MOST_FAST_NS,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_a_skipped_return_left_are_not_in_flight() {
        let call = |phase| LongtermCall {
            phase,
            began_ns: 5,
            ..LongtermCall::default()
        };
        let soon = 6;
        let late = 6 + MOST_FAST_NS;
        assert!(is_in_flight(&call(phase::FAST), soon));
        assert!(!is_in_flight(&call(phase::FAST), late));
        assert!(is_in_flight(&call(phase::SLOW), late));
        assert!(is_in_flight(&call(phase::MIGRATES), late));
        assert!(is_in_flight(&call(phase::COUNTED), late));
        assert!(!is_in_flight(&call(phase::DONE), soon));
    }
}
