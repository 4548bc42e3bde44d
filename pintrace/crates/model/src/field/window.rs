//! Columns of pending-flush windows.

use crate::finding::WindowTotals;

use super::{Align, Field, Unit, Value};

/// A column of the windows.
pub type WindowColumn = Field<WindowTotals>;

const fn count(
    id: &'static str,
    title: &'static str,
    unit: Unit,
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
        drop_rank: 0,
        value,
    }
}

/// Every column, in the order in which they stand.
pub const COLUMNS: &[WindowColumn] = &[
    count("pid", "PID", Unit::Count, "Process whose memory it is.", |all| {
        Value::Id(u64::from(all.pid.0))
    }),
    WindowColumn {
        align: Align::Left,
        ..count(
            "cause",
            "CAUSE",
            Unit::Name,
            "Why the range was write-protected.",
            |all| Value::Text(all.cause.as_str().into()),
        )
    },
    count(
        "windows",
        "WINDOWS",
        Unit::Count,
        "Windows in which a page was changed.",
        |all| Value::Count(all.count),
    ),
    count("pages", "PAGES", Unit::Pages, "Pages changed in them.", |all| {
        Value::Count(all.pages)
    }),
    count(
        "p50",
        "P50",
        Unit::Time,
        "Half of them were no longer; as exact as powers of two are.",
        |all| Value::Span(all.p50),
    ),
    count("p99", "P99", Unit::Time, "99 in 100 were no longer.", |all| {
        Value::Span(all.p99)
    }),
    count("max", "MAX", Unit::Time, "The longest.", |all| {
        Value::Span(all.max)
    }),
    count(
        "faults",
        "FAULTS",
        Unit::Count,
        "Write faults of other threads in open windows.",
        |all| Value::Count(all.faults),
    ),
    count(
        "cows",
        "COWS",
        Unit::Count,
        "Of these, those that copied the page.",
        |all| Value::Count(all.cows),
    ),
    count(
        "pins",
        "PINS",
        Unit::Pages,
        "Pages pinned in open windows.",
        |all| Value::Count(all.pins),
    ),
    WindowColumn {
        align: Align::Left,
        ..count("comm", "COMMAND", Unit::Name, "Command name.", |all| {
            Value::Text((&*all.comm).into())
        })
    },
];
