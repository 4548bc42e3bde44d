//! Columns of a holder.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::snapshot::Process;
use crate::views::holders::{Holder, HolderRow};

use super::{Field, Value};

/// A column of a holder.
pub type HolderColumn = Field<HolderRow>;

/// Every column, in display order.
pub const COLUMNS: &[HolderColumn] = &[
    column!(
        "holder",
        "HOLDER",
        Name,
        Left,
        0,
        "Kind of the open file that holds the pins; `process` if the file is not known.",
        |row| Value::Text(row.kind().into())
    ),
    column!(
        "descriptor",
        "FD",
        Name,
        Left,
        4,
        "Descriptors on which the processes pinned last, or that they had when a scan found the pins, if known; a process may have closed or duplicated its descriptor since.",
        |row| descriptors(row)
    ),
    column!(
        "pid",
        "PID",
        Count,
        Right,
        0,
        "Process that pinned; the first one if several did.",
        |row| first(row).map_or(Value::Absent, |process| Value::Id(process.pid.0.into()))
    ),
    column!(
        "processes",
        "PROCS",
        Count,
        Right,
        5,
        "Processes that pinned through the holder.",
        |row| Value::Count(row.processes.len() as u64)
    ),
    column!(
        "extents",
        "EXTENTS",
        Count,
        Right,
        3,
        "Ranges of long-term pins that are held.",
        |row| match row.sums.extents {
            0 => Value::Absent,
            extents => Value::Count(extents),
        }
    ),
    column!("pages_held", "PAGES", Pages, Right, 0, "Pages held now.", |row| {
        Value::Count(row.sums.pages_held)
    }),
    column!(
        "bytes_held",
        "BYTES",
        Bytes,
        Right,
        1,
        "Memory that the pins keep in place.",
        |row| Value::Bytes(row.sums.bytes_held)
    ),
    column!(
        "oldest",
        "OLDEST",
        Time,
        Right,
        2,
        "Age of the oldest pin held.",
        |row| Value::oldest(row.sums.oldest_since, row.sums.older_than)
    ),
    column!(
        "pin_state",
        "STATE",
        Name,
        Left,
        6,
        "`being released`: the open file is closed, and pages are still held.",
        |row| state(row)
    ),
    column!(
        "evidence",
        "EVIDENCE",
        Name,
        Left,
        7,
        "What showed a scan that the holder has the pins.",
        |row| evidence(row)
    ),
    column!(
        "subsystem",
        "SUBSYSTEM",
        Name,
        Left,
        1,
        "Kernel subsystem that pinned most of the pages; `+` if others pinned too.",
        |row| super::marked_subsystem(&row.subsystems)
    ),
    column!(
        "comm",
        "COMMAND",
        Name,
        Left,
        0,
        "Command name of the process; the first one if several pinned.",
        |row| first(row).map_or(Value::Absent, |process| Value::Text(Cow::Borrowed(&process.comm)))
    ),
];

/// The default sort column.
pub const DEFAULT_SORT: &str = "pages_held";

/// Returns the column with an id.
#[must_use]
pub fn column(id: &str) -> Option<&'static HolderColumn> {
    COLUMNS.iter().find(|column| column.id == id)
}

/// Compares two holders by a column, then by pages held, largest first, then by pid and file.
#[must_use]
pub fn rank(column: &HolderColumn, one: &HolderRow, two: &HolderRow) -> Ordering {
    (column.value)(one)
        .rank(&(column.value)(two))
        .then_with(|| two.sums.pages_held.cmp(&one.sums.pages_held))
        .then_with(|| {
            first(one)
                .map(|process| process.pid)
                .cmp(&first(two).map(|process| process.pid))
        })
        .then_with(|| one.file().cmp(&two.file()))
}

fn first(row: &HolderRow) -> Option<&Process> {
    row.processes.first().map(|one| &*one.process)
}

/// Returns the different descriptors in ascending order.
fn descriptors(row: &HolderRow) -> Value<'static> {
    let mut all: Vec<u32> = row.descriptors().collect();
    all.sort_unstable();
    all.dedup();
    match all.as_slice() {
        [] => Value::Absent,
        all => {
            let all: Vec<_> = all.iter().map(u32::to_string).collect();
            Value::Text(Cow::Owned(all.join(", ")))
        }
    }
}

fn state(row: &HolderRow) -> Value<'static> {
    match row.holder {
        Holder::File { released: true, .. } => Value::Text("being released".into()),
        _ => Value::Absent,
    }
}

fn evidence(row: &HolderRow) -> Value<'static> {
    row.evidence
        .map_or(Value::Absent, |evidence| Value::Text(evidence.name().into()))
}
