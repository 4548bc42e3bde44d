//! Columns of flush windows.

use crate::finding::WindowTotals;

use super::{Align, Field, Unit, Value};

/// A column of the flush windows.
pub type WindowColumn = Field<WindowTotals>;

const fn count(
    id: &'static str,
    title: &'static str,
    unit: Unit,
    drop_rank: u8,
    help: &'static str,
    value: for<'a> fn(&'a WindowTotals) -> Value<'a>,
) -> WindowColumn {
    WindowColumn {
        id,
        title,
        unit,
        help,
        metric: None,
        align: Align::Right,
        drop_rank,
        value,
    }
}

/// Every column, in display order.
pub const COLUMNS: &[WindowColumn] = &[
    count(
        "pid",
        "PID",
        Unit::Count,
        0,
        "Process whose memory was write-protected.",
        |all| Value::Id(u64::from(all.pid.0)),
    ),
    WindowColumn {
        align: Align::Left,
        ..count(
            "cause",
            "CAUSE",
            Unit::Name,
            1,
            "Cause of the write protection.",
            |all| Value::Text(all.cause.as_str().into()),
        )
    },
    count(
        "windows",
        "WINDOWS",
        Unit::Count,
        2,
        "Flush windows in which a page was write-protected.",
        |all| Value::Count(all.count),
    ),
    count(
        "pages",
        "PAGES",
        Unit::Pages,
        5,
        "Pages write-protected in these windows.",
        |all| Value::Count(all.pages),
    ),
    count(
        "p50",
        "P50",
        Unit::Time,
        7,
        "Median length, rounded up to a power of two in nanoseconds.",
        |all| Value::Span(all.p50),
    ),
    count(
        "p99",
        "P99",
        Unit::Time,
        6,
        "99th percentile of the length, rounded up as well.",
        |all| Value::Span(all.p99),
    ),
    count("max", "MAX", Unit::Time, 1, "Maximum length.", |all| {
        Value::Span(all.max)
    }),
    count(
        "faults",
        "FAULTS",
        Unit::Count,
        3,
        "Write faults of other threads in open windows.",
        |all| Value::Count(all.faults),
    ),
    count(
        "cows",
        "COWS",
        Unit::Count,
        4,
        "Write faults that copied the page.",
        |all| Value::Count(all.cows),
    ),
    count(
        "pins",
        "PINS",
        Unit::Pages,
        4,
        "Pages pinned by other threads in open windows.",
        |all| Value::Count(all.pins),
    ),
    WindowColumn {
        align: Align::Left,
        ..count("comm", "COMMAND", Unit::Name, 0, "Command name.", |all| {
            Value::Text((&*all.comm).into())
        })
    },
];

/// The default sort column.
pub const DEFAULT_SORT: &str = "max";
