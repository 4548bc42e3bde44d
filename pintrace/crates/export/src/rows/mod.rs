//! Renders the rows of a view for scripts: as a text table, as CSV and as JSON Lines. All three come from the same fields.
//! docs/batch.md describes the formats.

mod cell;
mod csv;
mod json;
#[cfg(test)]
mod tests;

use pintrace_events::units::Nanos;
use pintrace_model::field::Field;
use pintrace_model::field::grid::{self, Digits};
use pintrace_model::views::ViewName;

use self::cell::Cell;

/// The rows of a view at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T: 'static> {
    /// The view.
    pub view: ViewName,
    /// Time of the snapshot, by the monotonic clock of the stream.
    pub time: Nanos,
    /// The columns of the text table, in display order.
    pub table: &'static [Field<T>],
    /// The columns of CSV and JSON, in order.
    pub fields: &'a [&'static Field<T>],
    /// The rows, in order.
    pub rows: &'a [&'a T],
}

impl<T> Rows<'_, T> {
    /// Returns the lines of a text table, the heading first. Columns that do not fit into `width` are left out. The
    /// explanations of the system are not cut.
    #[must_use]
    pub fn text(&self, width: usize) -> Vec<String> {
        let width = match self.view {
            ViewName::System => usize::MAX,
            _ => width,
        };
        let columns: Vec<&Field<T>> = self.table.iter().collect();
        grid::lines(&columns, self.rows, self.time, width, Digits::All)
    }

    /// Returns the cells of a row.
    fn cells<'b>(&'b self, row: &'b T) -> impl Iterator<Item = (&'static str, Cell<'b>)> {
        let fields = self.fields.iter();
        fields.map(|field| (field.id, Cell::of(&(field.value)(row).at(self.time), field.unit)))
    }
}
