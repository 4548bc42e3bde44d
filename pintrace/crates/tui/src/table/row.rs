//! What a table has to know of its rows.

use std::cmp::Ordering;
use std::fmt::Debug;

use ratatui::text::Line;

use pintrace_events::units::Nanos;
use pintrace_model::field::{Field, Unit, Value};
use pintrace_model::history::History;
use pintrace_model::snapshot::Snapshot;

use super::super::filter::Filter;
use super::super::keymap::Remapped;
use super::super::list::RowStyle;
use super::super::options::ReadLockedMemory;
use super::super::theme::Theme;
use super::super::view::View;
use super::tree::TreeState;

/// All that a view draws from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) filter: &'a Filter,
    pub(crate) history: &'a History,
    /// The snapshot with which this one is compared.
    pub(crate) baseline: Option<&'a Snapshot>,
    pub(crate) keys: &'a Remapped,
    /// Lines of a detail that can be seen. A detail may leave out what follows them.
    pub(crate) visible: usize,
    /// Reads what a process may still pin, if the screen shows the present.
    pub(crate) locked_memory: Option<ReadLockedMemory>,
    pub(crate) theme: Theme,
}

/// A row of a table.
pub(crate) trait TableRow: Sized + 'static {
    /// The object that has the columns.
    type Item: 'static;
    /// The identity of the row across snapshots.
    type Identity: Clone + Debug + PartialEq;

    /// The view of the table.
    const VIEW: View;
    /// The column that orders the table first.
    const DEFAULT_SORT: &'static str;

    /// Returns every column, in display order.
    fn columns() -> Vec<&'static Field<Self::Item>>;

    /// Returns true for a column that is hidden at first.
    fn is_hidden(_column: &Field<Self::Item>) -> bool {
        false
    }

    /// Returns all rows of a snapshot. Only the changes since a baseline need the baseline.
    fn rows(snapshot: &Snapshot, baseline: Option<&Snapshot>) -> Vec<Self>;

    /// Returns the object of the row.
    fn item(&self) -> &Self::Item;

    /// Returns the identity of the row.
    fn identity(&self) -> Self::Identity;

    /// Compares two objects by a column, with the model's order for those that are equal.
    fn rank(column: &Field<Self::Item>, one: &Self::Item, two: &Self::Item) -> Ordering {
        (column.value)(one).rank(&(column.value)(two))
    }

    /// Returns true for a row to show.
    fn admits(&self, filter: &Filter, snapshot: &Snapshot) -> bool;

    /// Leaves the rows that the state of a tree shows. Other tables have no tree.
    fn arrange_tree(rows: Vec<Self>, _tree: &TreeState) -> Vec<Self> {
        rows
    }

    /// Returns the name of the row in a tree.
    fn tree_path(&self) -> Option<&str> {
        None
    }

    /// Returns the width of a column.
    fn width(column: &Field<Self::Item>) -> usize {
        default_width(column)
    }

    /// Returns the text of a cell that is `width` columns wide.
    fn cell(&self, column: &Field<Self::Item>, _width: usize, now: Nanos) -> String {
        text(&(column.value)(self.item()).at(now))
    }

    /// Returns the mark and the style of the row.
    fn style(&self, _scene: &Scene<'_>) -> RowStyle {
        RowStyle::default()
    }

    /// Returns the style of a cell.
    fn cell_style(&self, _column: &Field<Self::Item>, _theme: Theme) -> ratatui::style::Style {
        ratatui::style::Style::new()
    }

    /// Returns lines above the table.
    fn preface(_scene: &Scene<'_>, _width: usize) -> Vec<Line<'static>> {
        Vec::new()
    }

    /// Returns one line below the rows.
    fn summary(_scene: &Scene<'_>) -> Option<String> {
        None
    }

    /// Returns all that is known of the row, in lines of `width` columns.
    fn detail(&self, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>>;

    /// Returns the message for a snapshot without rows.
    fn empty(scene: &Scene<'_>) -> String;
}

/// Returns a value as text. A share of nothing has no text of its own.
pub(crate) fn text(value: &Value<'_>) -> String {
    match value.text() {
        text if text.is_empty() => Value::Absent.text(),
        text => text,
    }
}

/// Returns a width that holds the values of a column and its title with a mark.
pub(crate) fn default_width<T>(column: &Field<T>) -> usize {
    let value = match (column.id, column.unit) {
        // The highest pid is 4194304.
        ("pid" | "tid", _) => 7,
        ("subsystem", _) => 11,
        ("address", _) => 27,
        ("comm", _) | (_, Unit::Bytes | Unit::Name) => 8,
        (_, Unit::Time) => 7,
        (_, Unit::Share) => 4,
        _ => 6,
    };
    value.max(column.title.len() + 1)
}
