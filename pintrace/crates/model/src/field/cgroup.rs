//! Columns of a cgroup: sums over its processes and those of the cgroups inside it.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::views::cgroups::{CgroupRow, CgroupSums};

use super::{Field, Value};

/// A column of a cgroup: sums over its processes and those of the cgroups inside it.
pub type CgroupColumn = Field<CgroupRow>;

/// Every column, in display order.
pub const COLUMNS: &[CgroupColumn] = &[
    column!(
        "pages_held",
        "PAGES",
        Pages,
        Right,
        0,
        "Pages that the processes hold pinned now.",
        |row| Value::Count(row.subtree.pages_held)
    ),
    column!(
        "bytes_held",
        "BYTES",
        Bytes,
        Right,
        0,
        "Memory that the pins keep in place.",
        |row| Value::Bytes(row.subtree.bytes_held)
    ),
    column!(
        "longterm_share",
        "LONG",
        Share,
        Right,
        3,
        "Share that was pinned with FOLL_LONGTERM, of the held pages whose pins hooks saw.",
        |row| match row.subtree.traced_pages_held {
            0 if row.subtree.pages_held > 0 => Value::Absent,
            pages => Value::Share(row.subtree.longterm_pages_held, pages),
        }
    ),
    column!(
        "acquired_per_second",
        "ACQ/s",
        PagesPerSecond,
        Right,
        4,
        "Pages pinned per second, over the last interval.",
        |row| row.subtree.rate(row.subtree.acquired_per_second)
    ),
    column!(
        "released_per_second",
        "REL/s",
        PagesPerSecond,
        Right,
        5,
        "Pages released per second, over the last interval.",
        |row| row.subtree.rate(row.subtree.released_per_second)
    ),
    column!(
        "processes",
        "PROCS",
        Count,
        Right,
        1,
        "Processes that hold pages.",
        |row| Value::Count(row.subtree.processes)
    ),
    column!(
        "oldest",
        "OLDEST",
        Time,
        Right,
        6,
        "Age of the oldest pin held.",
        |row| Value::oldest(row.subtree.oldest_since, row.subtree.older_than)
    ),
    column!(
        "findings",
        "FINDINGS",
        Count,
        Right,
        2,
        "Findings of the processes, without repeats.",
        |row| Value::Count(row.subtree.findings)
    ),
    column!(
        "container",
        "CONTAINER",
        Name,
        Left,
        1,
        "Container, machine, service or session whose cgroup this is, as the path says.",
        |row| container(row)
    ),
    column!("cgroup", "CGROUP", Name, Left, 0, "Path of the cgroup.", |row| {
        Value::Text(Cow::Borrowed(&row.path))
    }),
];

/// The default sort column.
pub const DEFAULT_SORT: &str = "pages_held";

/// Returns the column with an id.
#[must_use]
pub fn column(id: &str) -> Option<&'static CgroupColumn> {
    COLUMNS.iter().find(|column| column.id == id)
}

/// Compares two cgroups with one parent by a column, then by pages held, largest first, then by path.
#[must_use]
pub fn rank(column: &CgroupColumn, one: &CgroupRow, two: &CgroupRow) -> Ordering {
    (column.value)(one)
        .rank(&(column.value)(two))
        .then_with(|| two.subtree.pages_held.cmp(&one.subtree.pages_held))
        .then_with(|| one.path.cmp(&two.path))
}

impl CgroupSums {
    /// Returns a rate; absent if hooks have not seen any of the processes.
    const fn rate(&self, rate: f64) -> Value<'static> {
        if self.untraced_processes > 0 && self.untraced_processes == self.processes {
            Value::Absent
        } else {
            Value::Rate(rate)
        }
    }
}

fn container(row: &CgroupRow) -> Value<'_> {
    let container = row.container.as_ref();
    container.map_or(Value::Absent, |container| {
        Value::Text(Cow::Owned(container.to_string()))
    })
}
