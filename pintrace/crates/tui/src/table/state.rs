//! The rows of a table, its cursor, its order, its columns, and the open row.

use std::collections::BTreeSet;

use pintrace_events::units::Nanos;
use pintrace_model::field::Field;
use pintrace_model::snapshot::Snapshot;

use super::super::cursor::Cursor;
use super::super::filter::Filter;
use super::super::scroll::ScrollPosition;
use super::order::Order;
use super::row::TableRow;
use super::tree::TreeState;

/// The state of a table.
#[derive(Debug)]
pub(crate) struct TableView<R: TableRow> {
    pub(crate) order: Order,
    /// The rows to show, in order.
    pub(crate) rows: Vec<R>,
    /// Number of rows without the filter.
    pub(crate) all: usize,
    pub(crate) cursor: Cursor<R::Identity>,
    pub(crate) tree: TreeState,
    /// Ids of all columns, in the order of display.
    sequence: Vec<&'static str>,
    /// Ids of the hidden columns.
    hidden: BTreeSet<&'static str>,
    /// The open row, which fills the screen.
    open: Option<R::Identity>,
    /// The position in the lines of the open row.
    pub(super) scroll: ScrollPosition,
}

/// A column that can be shown or hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnChoice {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) help: &'static str,
    pub(crate) shown: bool,
}

impl<R: TableRow> Default for TableView<R> {
    fn default() -> Self {
        let hidden = R::columns().into_iter().filter(|column| R::is_hidden(column));
        Self {
            order: Order::by(R::DEFAULT_SORT),
            rows: Vec::new(),
            all: 0,
            cursor: Cursor::default(),
            tree: TreeState::default(),
            sequence: R::columns().into_iter().map(|column| column.id).collect(),
            hidden: hidden.map(|column| column.id).collect(),
            open: None,
            scroll: ScrollPosition::default(),
        }
    }
}

impl<R: TableRow> TableView<R> {
    /// Chooses and orders the rows of a snapshot. The cursor follows its row.
    pub(crate) fn arrange(&mut self, snapshot: &Snapshot, baseline: Option<&Snapshot>, filter: &Filter) {
        let mut rows = R::rows(snapshot, baseline);
        self.all = rows.len();
        rows.retain(|row| row.admits(filter, snapshot));
        self.rows = R::arrange_tree(rows, &self.tree);
        self.sort();
        let rows = &self.rows;
        self.cursor
            .arrange(rows.len(), |row| rows.get(row).map(R::identity));
    }

    /// Orders the rows. Rows that are equal keep the order of the model.
    fn sort(&mut self) {
        let order = self.order;
        let Some(column) = Self::column(order.column) else {
            return;
        };
        self.rows.sort_by(|one, two| {
            let rank = R::rank(column, one.item(), two.item());
            if order.reversed { rank.reverse() } else { rank }
        });
    }

    /// Returns the column with an id.
    pub(crate) fn column(id: &str) -> Option<&'static Field<R::Item>> {
        R::columns().into_iter().find(|column| column.id == id)
    }

    /// Returns the columns to show.
    pub(crate) fn shown_columns(&self) -> Vec<&'static Field<R::Item>> {
        let mut columns = self.columns();
        columns.retain(|column| !self.hidden.contains(column.id));
        columns
    }

    /// Returns every column in the order of display.
    fn columns(&self) -> Vec<&'static Field<R::Item>> {
        let mut columns = R::columns();
        let place = |id| self.sequence.iter().position(|other| *other == id);
        columns.sort_by_key(|column| place(column.id));
        columns
    }

    /// Returns every column, for the chooser.
    pub(crate) fn choices(&self) -> Vec<ColumnChoice> {
        let columns = self.columns().into_iter();
        let choice = |column: &'static Field<R::Item>| ColumnChoice {
            id: column.id,
            title: column.title,
            help: column.help,
            shown: !self.hidden.contains(column.id),
        };
        columns.map(choice).collect()
    }

    /// Shows or hides a column. The last column stays.
    pub(crate) fn toggle_column(&mut self, id: &'static str) {
        if !self.hidden.remove(id) && self.shown_columns().len() > 1 {
            self.hidden.insert(id);
        }
    }

    /// Moves a column by `steps` in the order of display.
    pub(crate) fn move_column(&mut self, id: &'static str, steps: isize) {
        let Some(from) = self.sequence.iter().position(|other| *other == id) else {
            return;
        };
        let last = self.sequence.len().saturating_sub(1);
        let to = from.saturating_add_signed(steps).min(last);
        self.sequence.remove(from);
        self.sequence.insert(to, id);
    }

    /// Shows only some columns, in this order.
    pub(crate) fn show_columns(&mut self, ids: &[&'static str]) {
        let columns = R::columns().into_iter().map(|column| column.id);
        self.hidden = columns.filter(|id| !ids.contains(id)).collect();
        let place = |id: &str| ids.iter().position(|other| *other == id).unwrap_or(ids.len());
        self.sequence.sort_by_key(|id| place(id));
    }

    /// Moves the sort column by `steps` among the shown columns.
    pub(crate) fn sort_beside(&mut self, steps: isize) {
        let columns = self.shown_columns();
        let at = columns.iter().position(|column| column.id == self.order.column);
        let next = match at {
            Some(at) => at
                .saturating_add_signed(steps)
                .min(columns.len().saturating_sub(1)),
            None => 0,
        };
        if let Some(column) = columns.get(next) {
            self.order = Order::by(column.id);
        }
    }

    /// Returns the row under the cursor.
    pub(crate) fn selected(&self) -> Option<&R> {
        self.rows.get(self.cursor.row)
    }

    /// Returns true while a row fills the screen.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Returns the open row; `None` if it is no longer in the snapshot.
    pub(crate) fn opened(&self) -> Option<&R> {
        let open = self.open.as_ref()?;
        self.rows.iter().find(|row| row.identity() == *open)
    }

    /// Opens the row under the cursor.
    pub(crate) fn open(&mut self) {
        self.open = self.selected().map(R::identity);
        self.scroll = ScrollPosition::default();
        // The cursor is on the same row after the return.
        self.cursor.follow(self.open.clone());
    }

    /// Closes the open row, or leaves the zoomed part of a tree. Returns false if there was none.
    pub(crate) fn back(&mut self) -> bool {
        self.open.take().is_some() || self.tree.zoom(None)
    }

    /// Moves the cursor, or scrolls the open row.
    pub(crate) fn go(&mut self, lines: isize) {
        if self.open.is_some() {
            self.scroll.go(lines);
        } else {
            let rows = &self.rows;
            self.cursor
                .go(lines, rows.len(), |row| rows.get(row).map(R::identity));
        }
    }

    /// Moves the cursor to a row. Returns true if the cursor was there.
    pub(crate) fn point(&mut self, row: usize) -> bool {
        let was_there = self.cursor.row == row;
        self.go(row.cast_signed() - self.cursor.row.cast_signed());
        was_there
    }

    /// Folds or unfolds the node of a tree under the cursor.
    pub(crate) fn fold(&mut self, folded: bool) {
        if let Some(path) = self.selected().and_then(R::tree_path).map(ToOwned::to_owned) {
            self.tree.set_folded(&path, folded);
        }
    }

    /// Shows the node under the cursor alone, or the whole tree if that is so already.
    pub(crate) fn zoom(&mut self) {
        let path = self.selected().and_then(R::tree_path).map(ToOwned::to_owned);
        if self.tree.zoomed().is_some() {
            self.tree.zoom(None);
        } else if path.is_some() {
            self.tree.zoom(path.as_deref());
        }
    }

    /// Returns the lines that are visible of the open row, for the footer.
    pub(crate) fn position(&self, page: usize) -> String {
        self.scroll.status(page)
    }

    /// Returns the values of the row under the cursor or of the open row, by id of the column, at `now`.
    pub(crate) fn values(&self, now: Nanos) -> Vec<(&'static str, pintrace_model::field::Value<'_>)> {
        let row = if self.is_open() {
            self.opened()
        } else {
            self.selected()
        };
        let values = row.into_iter().flat_map(|row| {
            R::columns()
                .into_iter()
                .map(move |column| (column.id, (column.value)(row.item()).at(now)))
        });
        values.collect()
    }
}
