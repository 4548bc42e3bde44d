//! The tables behind the findings, read from user space.

use aya::Ebpf;
use aya::maps::{HashMap, MapData, MapError, PerCpuArray};
use pintrace_common::mm_events::{CowKey, CowStats, WindowKey, WindowStats, check};

use pintrace_events::FlushCheck;

use super::ledger::{LedgerError, take};
use pintrace_bpf::pod;

pod! {
    PodCowKey(CowKey);
    PodCowStats(CowStats);
    PodWindowKey(WindowKey);
    PodWindowStats(WindowStats);
}

/// The tables of one loaded object.
pub struct MmEventTables {
    copies: HashMap<MapData, PodCowKey, PodCowStats>,
    windows: HashMap<MapData, PodWindowKey, PodWindowStats>,
    flush_check: PerCpuArray<MapData, u64>,
}

impl MmEventTables {
    /// Takes the tables out of a loaded object.
    pub fn take(ebpf: &mut Ebpf) -> Result<Self, LedgerError> {
        Ok(Self {
            copies: take(ebpf, "COWS")?.try_into()?,
            windows: take(ebpf, "FLUSH_WINDOWS")?.try_into()?,
            flush_check: take(ebpf, "FLUSH_CHECK")?.try_into()?,
        })
    }

    /// CowStats of pinned pages, by holder and kind. One that is removed meanwhile may be left out.
    pub fn cow(&self) -> Result<Vec<(CowKey, CowStats)>, LedgerError> {
        let entries = self.copies.iter().filter_map(there);
        entries
            .map(|entry| entry.map(|(key, value)| (key.0, value.0)))
            .collect()
    }

    /// WindowStats, by process and cause.
    pub fn windows(&self) -> Result<Vec<(WindowKey, WindowStats)>, LedgerError> {
        let entries = self.windows.iter().filter_map(there);
        entries
            .map(|entry| entry.map(|(key, value)| (key.0, value.0)))
            .collect()
    }

    /// Makes room.
    pub fn forget_cow(&mut self, key: CowKey) -> Result<(), LedgerError> {
        gone(self.copies.remove(&PodCowKey(key)))
    }

    /// Makes room: the process has ended.
    pub fn forget_windows(&mut self, key: WindowKey) -> Result<(), LedgerError> {
        gone(self.windows.remove(&PodWindowKey(key)))
    }

    /// Faults by our windows and by the kernel's own count.
    pub fn flush_check(&self) -> Result<FlushCheck, LedgerError> {
        let sum =
            |which: u32| -> Result<u64, LedgerError> { Ok(self.flush_check.get(&which, 0)?.iter().sum()) };
        Ok(FlushCheck {
            agreed: sum(check::AGREED)?,
            covered_only: sum(check::COVERED)?,
            pending_only: sum(check::PENDING)?,
        })
    }
}

/// What is removed while the table is walked is not there.
fn there<T>(entry: Result<T, MapError>) -> Option<Result<T, LedgerError>> {
    match entry {
        Err(MapError::KeyNotFound) => None,
        other => Some(other.map_err(Into::into)),
    }
}

fn gone(removed: Result<(), MapError>) -> Result<(), LedgerError> {
    match removed {
        Err(MapError::KeyNotFound) => Ok(()),
        other => other.map_err(Into::into),
    }
}
