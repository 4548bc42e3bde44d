//! Fields of flush windows.

use pintrace_events::Cause;
use pintrace_model::field::window::COLUMNS;
use pintrace_model::finding::WindowTotals;

use super::super::row_fields::RowFields;
use super::offer;

/// Flush windows. A bare word matches command name, pid and cause.
pub const WINDOWS: RowFields<WindowTotals> = RowFields {
    noun: "Flush windows",
    columns: &[COLUMNS],
    aliases: &[("name", "comm")],
    words: |all, take| offer(&[all.pid], &[&all.comm, all.cause.as_str()], take),
    values: |id| match id {
        "cause" => Cause::ALL.iter().map(|cause| cause.as_str()).collect(),
        _ => Vec::new(),
    },
};
