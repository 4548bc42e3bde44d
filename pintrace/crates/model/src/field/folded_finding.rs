//! Columns of folded findings.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::finding::TriggerKind;
use crate::views::folded_findings::FoldedFinding;

use super::{Field, Value};

/// A column of folded findings.
pub type FoldedFindingColumn = Field<FoldedFinding>;

/// Every column, in display order.
pub const COLUMNS: &[FoldedFindingColumn] = &[
    column!(
        "severity",
        "LEVEL",
        Name,
        Left,
        0,
        "The worst level of the findings.",
        |row| Value::Text(row.severity.as_str().into())
    ),
    column!("kind", "FINDING", Name, Left, 0, "Kind of the findings.", |row| {
        Value::Text(row.kind.as_str().into())
    }),
    column!(
        "trigger",
        "TRIGGER",
        Name,
        Left,
        4,
        "Operation on the pinned memory, or cause of the write protection.",
        |row| trigger(row)
    ),
    column!(
        "count",
        "TIMES",
        Count,
        Right,
        1,
        "Number of times, of all processes.",
        |row| Value::Count(row.count)
    ),
    column!(
        "processes",
        "PROCS",
        Count,
        Right,
        2,
        "Number of processes.",
        |row| Value::Count(row.pids.len() as u64)
    ),
    column!(
        "first",
        "FIRST",
        Time,
        Right,
        6,
        "Time since the first of the findings was first seen.",
        |row| Value::Since(row.first)
    ),
    column!(
        "last",
        "AGO",
        Time,
        Right,
        3,
        "Time since the latest of the findings was last seen.",
        |row| Value::Since(row.last)
    ),
    column!(
        "place",
        "PLACE",
        Name,
        Left,
        5,
        "Kernel function that called the pin function; of a finding without a pin, the function of the trigger.",
        |row| super::name(&row.place)
    ),
    column!(
        "comm",
        "COMMAND",
        Name,
        Left,
        0,
        "Command name of the processes.",
        |row| Value::Text(Cow::Borrowed(&row.comm))
    ),
];

/// The default sort column.
pub const DEFAULT_SORT: &str = "severity";

/// Returns the column with an id.
#[must_use]
pub fn column(id: &str) -> Option<&'static FoldedFindingColumn> {
    COLUMNS.iter().find(|column| column.id == id)
}

/// Compares two rows by a column, then worst first, then latest first, then by kind and command name. Of the times, the latest is first.
#[must_use]
pub fn rank(column: &FoldedFindingColumn, one: &FoldedFinding, two: &FoldedFinding) -> Ordering {
    let by_column = match column.id {
        "first" => two.first.cmp(&one.first),
        "last" => two.last.cmp(&one.last),
        _ => (column.value)(one).rank(&(column.value)(two)),
    };
    by_column
        .then_with(|| two.severity.cmp(&one.severity))
        .then_with(|| two.last.cmp(&one.last))
        .then_with(|| one.kind.cmp(&two.kind))
        .then_with(|| one.comm.cmp(&two.comm))
}

fn trigger(row: &FoldedFinding) -> Value<'static> {
    match row.trigger {
        Some(TriggerKind::Protected(cause)) => Value::Text(cause.as_str().into()),
        Some(what) => Value::Text(what.as_str().into()),
        None => Value::Absent,
    }
}
