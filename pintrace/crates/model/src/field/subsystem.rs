//! Columns of a subsystem; each is a metric with the label `subsystem`.

use std::borrow::Cow;

use crate::snapshot::SubsystemTotals;

use super::{Align, Field, Metric, Unit, Value};

/// A column of a subsystem.
pub type SubsystemColumn = Field<SubsystemTotals>;

/// Every column, in display order.
pub const COLUMNS: &[SubsystemColumn] = &[
    SubsystemColumn {
        id: "subsystem",
        title: "SUBSYSTEM",
        unit: Unit::Name,
        help: "Kernel subsystem that pins.",
        metric: None,
        align: Align::Left,
        drop_rank: 0,
        value: |totals| Value::Text(Cow::Borrowed(totals.subsystem.as_str())),
    },
    SubsystemColumn {
        id: "pages_held",
        title: "PAGES",
        unit: Unit::Pages,
        help: "Pages held pinned now, by subsystem.",
        metric: Some(Metric::gauge("pintrace_held_pages").by(&["subsystem"])),
        align: Align::Right,
        drop_rank: 0,
        value: |totals| Value::Count(totals.pages_held),
    },
    SubsystemColumn {
        id: "bytes_held",
        title: "BYTES",
        unit: Unit::Bytes,
        help: "Memory that pins keep in place now, by subsystem: whole folios.",
        metric: Some(Metric::gauge("pintrace_held_bytes").by(&["subsystem"])),
        align: Align::Right,
        drop_rank: 0,
        value: |totals| Value::Bytes(totals.bytes_held),
    },
    SubsystemColumn {
        id: "acquired",
        title: "ACQUIRED",
        unit: Unit::Pages,
        help: "Pages pinned since the start, by subsystem.",
        metric: Some(Metric::counter("pintrace_acquired_pages_total").by(&["subsystem"])),
        align: Align::Right,
        drop_rank: 0,
        value: |totals| Value::Count(totals.acquired),
    },
    SubsystemColumn {
        id: "released",
        title: "RELEASED",
        unit: Unit::Pages,
        help: "Pages released since the start, by subsystem.",
        metric: Some(Metric::counter("pintrace_released_pages_total").by(&["subsystem"])),
        align: Align::Right,
        drop_rank: 0,
        value: |totals| Value::Count(totals.released),
    },
];
