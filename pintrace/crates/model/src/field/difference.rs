//! Columns of the changes of a process between two snapshots.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::views::difference::DifferenceRow;

use super::{Field, Value};

/// A column of the changes of a process between two snapshots.
pub type DifferenceColumn = Field<DifferenceRow>;

/// Every column, in display order.
pub const COLUMNS: &[DifferenceColumn] = &[
    column!(
        "pid",
        "PID",
        Count,
        Right,
        0,
        "Process (thread group) id.",
        |row| Value::Id(u64::from(row.process.pid.0))
    ),
    column!(
        "pages_held_change",
        "PAGES",
        Pages,
        Right,
        0,
        "Pages held now, less those held at the time of the earlier snapshot.",
        |row| Value::Signed(row.pages_held)
    ),
    column!(
        "bytes_held_change",
        "BYTES",
        Bytes,
        Right,
        1,
        "Bytes kept in place now, less those of the earlier snapshot.",
        |row| Value::Signed(row.bytes_held)
    ),
    column!(
        "acquired_change",
        "ACQUIRED",
        Pages,
        Right,
        2,
        "Pages pinned since the earlier snapshot.",
        |row| Value::Signed(row.acquired)
    ),
    column!(
        "released_change",
        "RELEASED",
        Pages,
        Right,
        3,
        "Pages released since the earlier snapshot.",
        |row| Value::Signed(row.released)
    ),
    column!(
        "change",
        "CHANGE",
        Name,
        Left,
        0,
        "`new`: the process has pinned since the earlier snapshot for the first time; `ended`: the process has ended since; `gone`: the process ended, holds nothing and was forgotten.",
        |row| super::name(row.change.as_str())
    ),
    column!("comm", "COMMAND", Name, Left, 0, "Command name.", |row| {
        Value::Text(Cow::Borrowed(&row.process.comm))
    }),
];

/// The default sort column.
pub const DEFAULT_SORT: &str = "pages_held_change";

/// Returns the column with an id.
#[must_use]
pub fn column(id: &str) -> Option<&'static DifferenceColumn> {
    COLUMNS.iter().find(|column| column.id == id)
}

/// Compares two rows by a column, then by the change of the pages held, largest first, then by pid.
#[must_use]
pub fn rank(column: &DifferenceColumn, one: &DifferenceRow, two: &DifferenceRow) -> Ordering {
    (column.value)(one)
        .rank(&(column.value)(two))
        .then_with(|| two.pages_held.cmp(&one.pages_held))
        .then_with(|| one.process.pid.cmp(&two.process.pid))
}
