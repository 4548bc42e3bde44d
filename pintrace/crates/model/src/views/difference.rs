//! The changes of each process between two snapshots of one stream.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::snapshot::{Process, Snapshot};

/// The changes of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct DifferenceRow {
    /// The process in the later snapshot; in the earlier one if the later snapshot lacks the process.
    pub process: Arc<Process>,
    /// Whether the process is new or gone.
    pub change: Change,
    /// Pages held in the later snapshot, less those of the earlier one.
    pub pages_held: i64,
    /// Bytes kept in place in the later snapshot, less those of the earlier one.
    pub bytes_held: i64,
    /// Pages pinned between the snapshots; 0 for a process that was forgotten, whose later pins are not known.
    pub acquired: i64,
    /// Pages released between the snapshots; 0 for a process that was forgotten.
    pub released: i64,
}

/// Whether a process is new or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The earlier snapshot lacks the process: the process has pinned since for the first time.
    New,
    /// The process lived in the earlier snapshot and has ended since.
    Ended,
    /// The later snapshot lacks the process: the process ended, holds nothing, and was forgotten.
    Gone,
    /// The process is in both snapshots.
    Same,
}

impl Change {
    /// Returns the name in tables; empty for [`Change::Same`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Ended => "ended",
            Self::Gone => "gone",
            Self::Same => "",
        }
    }
}

impl DifferenceRow {
    /// Returns true if a figure differs, or if the process is new or gone.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        let figures = [self.pages_held, self.bytes_held, self.acquired, self.released];
        self.change != Change::Same || figures.iter().any(|figure| *figure != 0)
    }
}

/// Returns the changes of every process of either snapshot, by pid. Both snapshots are of one stream.
#[must_use]
pub fn of(earlier: &Snapshot, later: &Snapshot) -> Vec<DifferenceRow> {
    let mut rows = Vec::with_capacity(later.processes.len());
    let mut before = earlier.processes.iter().peekable();
    let mut after = later.processes.iter().peekable();
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return rows,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(before), Some(after)) => key(before).cmp(&key(after)),
        };
        let old = before.next_if(|_| order != Ordering::Greater);
        let new = after.next_if(|_| order != Ordering::Less);
        rows.extend(row(old, new));
    }
}

/// Processes of a snapshot stand in this order.
fn key(process: &Process) -> (u32, u32) {
    (process.pid.0, process.earlier_processes)
}

fn row(old: Option<&Arc<Process>>, new: Option<&Arc<Process>>) -> Option<DifferenceRow> {
    let nothing = Process::default();
    let before = old.map_or(&nothing, |old| old);
    let after = new.map_or(&nothing, |new| new);
    let change = match (old, new) {
        (None, _) => Change::New,
        (_, None) => Change::Gone,
        (Some(old), Some(new)) if old.ended.is_none() && new.ended.is_some() => Change::Ended,
        _ => Change::Same,
    };
    let since = |count: fn(&Process) -> u64| match change {
        Change::Gone => 0,
        _ => difference(count(after), count(before)),
    };
    Some(DifferenceRow {
        process: Arc::clone(new.or(old)?),
        change,
        pages_held: difference(after.pages_held, before.pages_held),
        bytes_held: difference(after.bytes_held, before.bytes_held),
        acquired: since(|process| process.acquired),
        released: since(|process| process.released),
    })
}

/// Returns `after - before`, clamped, because a forged recording may contain any numbers.
fn difference(after: u64, before: u64) -> i64 {
    let difference = i128::from(after) - i128::from(before);
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}
