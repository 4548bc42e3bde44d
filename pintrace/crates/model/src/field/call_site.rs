//! Columns of a call site.

use std::cmp::Ordering;

use crate::views::call_sites::CallSiteRow;

use super::{Field, Value};

/// A column of a call site.
pub type CallSiteColumn = Field<CallSiteRow>;

/// Every column, in display order.
pub const COLUMNS: &[CallSiteColumn] = &[
    column!(
        "pages_held",
        "PAGES",
        Pages,
        Right,
        0,
        "Pages that the pins of the call site hold now.",
        |row| Value::Count(row.sums.pages_held)
    ),
    column!(
        "bytes_held",
        "BYTES",
        Bytes,
        Right,
        0,
        "Memory that the pins keep in place.",
        |row| Value::Bytes(row.sums.bytes_held)
    ),
    column!(
        "extents",
        "EXTENTS",
        Count,
        Right,
        3,
        "Ranges of long-term pins that are held; all short-term pins of one thread count as one.",
        |row| match row.sums.extents {
            0 => Value::Absent,
            extents => Value::Count(extents),
        }
    ),
    column!(
        "processes",
        "PROCS",
        Count,
        Right,
        2,
        "Processes that hold pins of the call site.",
        |row| Value::Count(row.processes)
    ),
    column!(
        "oldest",
        "OLDEST",
        Time,
        Right,
        4,
        "Age of the oldest pin held.",
        |row| Value::oldest(row.sums.oldest_since, row.sums.older_than)
    ),
    column!(
        "subsystem",
        "SUBSYSTEM",
        Name,
        Left,
        1,
        "Kernel subsystem that pinned.",
        |row| Value::Text(row.subsystem.as_str().into())
    ),
    column!(
        "caller",
        "CALLER",
        Name,
        Left,
        0,
        "Kernel function that called the pin function.",
        |row| super::name(&row.caller)
    ),
];

/// The default sort column.
pub const DEFAULT_SORT: &str = "pages_held";

/// Returns the column with an id.
#[must_use]
pub fn column(id: &str) -> Option<&'static CallSiteColumn> {
    COLUMNS.iter().find(|column| column.id == id)
}

/// Compares two call sites by a column, then by pages held, largest first, then by caller and stack.
#[must_use]
pub fn rank(column: &CallSiteColumn, one: &CallSiteRow, two: &CallSiteRow) -> Ordering {
    (column.value)(one)
        .rank(&(column.value)(two))
        .then_with(|| two.sums.pages_held.cmp(&one.sums.pages_held))
        .then_with(|| one.caller.cmp(&two.caller))
        .then_with(|| one.stack.cmp(&two.stack))
}
