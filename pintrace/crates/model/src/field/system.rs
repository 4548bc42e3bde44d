//! Columns of the figures of the host and of the session.

use crate::views::system::SystemRow;

use super::{Field, Value};

/// A column of the figures.
pub type SystemColumn = Field<SystemRow>;

/// Every column, in display order.
pub const COLUMNS: &[SystemColumn] = &[
    column!("group", "GROUP", Name, Left, 1, "Group of the figure.", |row| {
        Value::Text(row.group.title().into())
    }),
    column!("label", "LABEL", Name, Left, 0, "Label of the figure.", |row| {
        // A term of the balance has the sign that stands before it in the equation.
        Value::Text(row.label.trim_start_matches(['=', '+', ' ']).into())
    }),
    column!(
        "value",
        "VALUE",
        Name,
        Right,
        0,
        "Value of the figure, in the unit of the figure.",
        |row| row.value.clone()
    ),
    column!(
        "explanation",
        "EXPLANATION",
        Name,
        Left,
        0,
        "Meaning of the figure, or words in place of a value.",
        |row| super::name(&row.explanation)
    ),
];

/// Returns the name of the unit of a figure; absent for text and for a figure in words.
pub(super) fn unit(row: &SystemRow) -> Value<'static> {
    let unit = match row.value {
        Value::Count(_) | Value::Signed(_) | Value::Id(_) => "count",
        Value::Bytes(_) => "bytes",
        Value::Rate(_) => "pages/s",
        Value::Span(_) | Value::MoreThan(_) | Value::Since(_) | Value::Before(_) => "time",
        Value::Share(..) => "%",
        Value::Text(_) | Value::Absent => return Value::Absent,
    };
    Value::Text(unit.into())
}
