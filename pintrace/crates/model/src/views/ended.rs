//! Processes that have ended and hold nothing, folded into one row.

use pintrace_text::counted;

use crate::snapshot::{Process, Snapshot};

/// Sums over processes that have ended and hold nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedProcesses {
    /// Number of processes.
    pub processes: u64,
    /// Pages that these processes pinned since the start.
    pub acquired: u64,
    /// Pages of these processes that were released since the start.
    pub released: u64,
}

impl EndedProcesses {
    /// Returns the sums in words; `None` if there is no such process.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let ended = match self.processes {
            0 => return None,
            1 => "1 ended process".to_owned(),
            processes => format!("{processes} ended processes"),
        };
        Some(format!("{ended}, acquired {}", counted(self.acquired, "page")))
    }
}

/// Returns true for a process that has ended and holds nothing.
#[must_use]
pub fn is_over(process: &Process) -> bool {
    process.ended.is_some() && process.pages_held == 0
}

/// Returns the sums over the processes of a snapshot that have ended and hold nothing.
#[must_use]
pub fn of(snapshot: &Snapshot) -> EndedProcesses {
    let mut sums = EndedProcesses::default();
    for process in snapshot.processes.iter().filter(|process| is_over(process)) {
        sums.processes += 1;
        sums.acquired = sums.acquired.saturating_add(process.acquired);
        sums.released = sums.released.saturating_add(process.released);
    }
    sums
}
