//! Processes that have ended and hold nothing, folded into one row.

use std::sync::Arc;

use pintrace_text::counted;

use crate::snapshot::{Process, Snapshot};

/// The processes of a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Processes {
    /// Processes that live or hold pages, in the order of the snapshot.
    pub shown: Vec<Arc<Process>>,
    /// Sums over the other processes.
    pub ended: EndedProcesses,
}

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

/// Splits the processes of a snapshot into those that live or hold pages and the others.
#[must_use]
pub fn of(snapshot: &Snapshot) -> Processes {
    let mut split = Processes::default();
    for process in snapshot.processes.iter() {
        if is_over(process) {
            let EndedProcesses {
                processes,
                acquired,
                released,
            } = &mut split.ended;
            *processes += 1;
            *acquired = acquired.saturating_add(process.acquired);
            *released = released.saturating_add(process.released);
        } else {
            split.shown.push(Arc::clone(process));
        }
    }
    split
}
