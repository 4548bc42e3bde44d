//! Columns of an open extent.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::views::pin_list::PinRow;

use super::{Field, Value};

/// A column of an open extent.
pub type PinColumn = Field<PinRow>;

/// Every column, in display order.
pub const COLUMNS: &[PinColumn] = &[
    column!("pid", "PID", Count, Right, 0, "Process that pinned.", |row| {
        Value::Id(u64::from(row.process.pid.0))
    }),
    column!("tid", "TID", Count, Right, 5, "Thread that pinned.", |row| {
        Value::Id(u64::from(row.extent.tid.0))
    }),
    column!(
        "pages_held",
        "PAGES",
        Pages,
        Right,
        0,
        "Pages of the extent that are held now.",
        |row| Value::Count(row.extent.pages_held)
    ),
    column!(
        "bytes_held",
        "BYTES",
        Bytes,
        Right,
        2,
        "Memory that the pins of the extent keep in place.",
        |row| Value::Bytes(row.extent.bytes_held)
    ),
    column!(
        "pin_age",
        "AGE",
        Time,
        Right,
        0,
        "Time since the first pin call of the extent.",
        |row| Value::Since(row.extent.since)
    ),
    column!(
        "address",
        "ADDRESS",
        Name,
        Left,
        1,
        "User addresses of the extent.",
        |row| address(row)
    ),
    column!(
        "pin_state",
        "STATE",
        Name,
        Left,
        6,
        "`partly released`: some pages were released, and the addresses of the others are not known; `being released`: the open file is closed, and pages are still held.",
        |row| state(row)
    ),
    column!(
        "descriptor",
        "FD",
        Count,
        Right,
        7,
        "Descriptor on which the process pinned, if known; the process may have closed or duplicated it since.",
        |row| row
            .extent
            .descriptor
            .map_or(Value::Absent, |descriptor| Value::Id(descriptor.into()))
    ),
    column!(
        "subsystem",
        "SUBSYSTEM",
        Name,
        Left,
        2,
        "Kernel subsystem that pinned.",
        |row| Value::Text(row.extent.subsystem.as_str().into())
    ),
    column!(
        "caller",
        "CALLER",
        Name,
        Left,
        4,
        "Kernel function that called the pin function.",
        |row| super::name(&row.extent.caller)
    ),
    column!("comm", "COMMAND", Name, Left, 0, "Command name.", |row| {
        Value::Text(Cow::Borrowed(&row.process.comm))
    }),
];

/// The default sort column.
pub const DEFAULT_SORT: &str = "pages_held";

/// Returns the column with an id.
#[must_use]
pub fn column(id: &str) -> Option<&'static PinColumn> {
    COLUMNS.iter().find(|column| column.id == id)
}

/// Compares two extents by a column, then by pages held, largest first, then oldest first, then by pid and address.
#[must_use]
pub fn rank(column: &PinColumn, one: &PinRow, two: &PinRow) -> Ordering {
    // The text of an address is made anew for each comparison.
    let by_column = match column.id {
        "address" => one.extent.address.cmp(&two.extent.address),
        _ => (column.value)(one).rank(&(column.value)(two)),
    };
    by_column
        .then_with(|| two.extent.pages_held.cmp(&one.extent.pages_held))
        .then_with(|| one.extent.since.cmp(&two.extent.since))
        .then_with(|| one.process.pid.cmp(&two.process.pid))
        .then_with(|| one.extent.address.cmp(&two.extent.address))
}

/// Returns the address range.
fn address(row: &PinRow) -> Value<'static> {
    let extent = &row.extent;
    Value::Text(Cow::Owned(format!("{:#x}-{:#x}", extent.address, extent.end)))
}

fn state(row: &PinRow) -> Value<'static> {
    let extent = &row.extent;
    match (extent.file_released, extent.partially_released) {
        (true, _) => Value::Text("being released".into()),
        (false, true) => Value::Text("partly released".into()),
        (false, false) => Value::Absent,
    }
}
