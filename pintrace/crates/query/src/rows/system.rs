//! Fields of the figures of the host.

use pintrace_model::field::{more, system};
use pintrace_model::views::system::SystemRow;

use super::super::row_fields::RowFields;
use super::offer;

/// Figures of the host and of the session. A bare word matches group, label and explanation.
pub const SYSTEM: RowFields<SystemRow> = RowFields {
    noun: "Figures of the system",
    columns: &[system::COLUMNS, more::SYSTEM],
    aliases: &[],
    words: |row, take| offer(&[], &[row.group.title(), &row.label, &row.explanation], take),
    values: |_| Vec::new(),
};
