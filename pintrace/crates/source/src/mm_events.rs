//! The BPF maps of the finding hooks, read from user space.

use aya::Ebpf;
use aya::maps::{HashMap, MapData, MapError, PerCpuArray};
use pintrace_common::mm_events::{CowKey, CowStats, SuppressedChanges, WindowKey, WindowStats, flush_check};

use pintrace_events::FlushCheck;

use super::ledger::{LedgerError, take};
use pintrace_bpf::pod;

pod! {
    PodCowKey(CowKey);
    PodCowStats(CowStats);
    PodWindowKey(WindowKey);
    PodWindowStats(WindowStats);
    PodSuppressedChanges(SuppressedChanges);
}

/// The maps of the finding hooks of one loaded eBPF object.
pub struct MmEventTables {
    cows: HashMap<MapData, PodCowKey, PodCowStats>,
    windows: HashMap<MapData, PodWindowKey, PodWindowStats>,
    flush_check: PerCpuArray<MapData, u64>,
    suppressed: HashMap<MapData, u32, PodSuppressedChanges>,
}

impl MmEventTables {
    /// Takes the maps out of a loaded object.
    pub fn take(ebpf: &mut Ebpf) -> Result<Self, LedgerError> {
        Ok(Self {
            cows: take(ebpf, "COWS")?.try_into()?,
            windows: take(ebpf, "FLUSH_WINDOWS")?.try_into()?,
            flush_check: take(ebpf, "FLUSH_CHECK")?.try_into()?,
            suppressed: take(ebpf, "SUPPRESSED_CHANGES")?.try_into()?,
        })
    }

    /// Returns the copies made of pinned or referenced pages, by owner and kind of copy.
    pub fn cow(&self) -> Result<Vec<(CowKey, CowStats)>, LedgerError> {
        let entries = self.cows.iter().filter_map(present);
        entries
            .map(|entry| entry.map(|(key, value)| (key.0, value.0)))
            .collect()
    }

    /// Returns the totals of the flush windows, by process and cause.
    pub fn windows(&self) -> Result<Vec<(WindowKey, WindowStats)>, LedgerError> {
        let entries = self.windows.iter().filter_map(present);
        entries
            .map(|entry| entry.map(|(key, value)| (key.0, value.0)))
            .collect()
    }

    /// Returns the mapping changes without a record, by process.
    pub fn suppressed(&self) -> Result<Vec<(u32, SuppressedChanges)>, LedgerError> {
        let entries = self.suppressed.iter().filter_map(present);
        entries
            .map(|entry| entry.map(|(key, value)| (key, value.0)))
            .collect()
    }

    /// Removes the entry of a process that has ended.
    pub fn remove_suppressed(&mut self, tgid: u32) -> Result<(), LedgerError> {
        ignore_absent(self.suppressed.remove(&tgid))
    }

    /// Removes the entry of an owner that can have no further copies.
    pub fn remove_cow(&mut self, key: CowKey) -> Result<(), LedgerError> {
        ignore_absent(self.cows.remove(&PodCowKey(key)))
    }

    /// Removes the entry of a process that has ended.
    pub fn remove_windows(&mut self, key: WindowKey) -> Result<(), LedgerError> {
        ignore_absent(self.windows.remove(&PodWindowKey(key)))
    }

    /// Returns the write faults that a flush window covers, or for which `mm->tlb_flush_pending` is not 0, or both.
    pub fn flush_check(&self) -> Result<FlushCheck, LedgerError> {
        let sum =
            |which: u32| -> Result<u64, LedgerError> { Ok(self.flush_check.get(&which, 0)?.iter().sum()) };
        Ok(FlushCheck {
            agreed: sum(flush_check::AGREED)?,
            covered_only: sum(flush_check::COVERED)?,
            pending_only: sum(flush_check::PENDING)?,
        })
    }
}

/// Returns `None` for an entry that was removed while the map was walked.
fn present<T>(entry: Result<T, MapError>) -> Option<Result<T, LedgerError>> {
    match entry {
        Err(MapError::KeyNotFound) => None,
        other => Some(other.map_err(Into::into)),
    }
}

fn ignore_absent(removed: Result<(), MapError>) -> Result<(), LedgerError> {
    match removed {
        Err(MapError::KeyNotFound) => Ok(()),
        other => other.map_err(Into::into),
    }
}
