//! Every open extent of every process.

use std::sync::Arc;

use pintrace_events::units::Pid;

use crate::snapshot::{OpenExtent, Process, Snapshot};

/// One open extent, with its process.
#[derive(Clone, Debug, PartialEq)]
pub struct PinRow {
    /// The process that pinned.
    pub process: Arc<Process>,
    /// The extent.
    pub extent: OpenExtent,
}

impl PinRow {
    /// Returns the process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.process.pid
    }
}

/// Returns the extents, by process, oldest first.
#[must_use]
pub fn of(snapshot: &Snapshot) -> Vec<PinRow> {
    let number = snapshot
        .processes
        .iter()
        .map(|process| process.open_extents.len());
    let mut rows = Vec::with_capacity(number.sum());
    for process in snapshot.processes.iter() {
        rows.extend(process.open_extents.iter().map(|extent| PinRow {
            process: Arc::clone(process),
            extent: extent.clone(),
        }));
    }
    rows
}
