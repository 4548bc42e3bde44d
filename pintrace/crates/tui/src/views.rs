//! The state of every view, and the operations on the view that is shown.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use pintrace_model::field::Value;
use pintrace_model::snapshot::Snapshot;

use super::clicks::Clicks;
use super::filter::Filter;
use super::options::Sort;
use super::rows::{
    CallSiteTableRow, CgroupTableRow, ChangeTableRow, FindingTableRow, HolderTableRow, PinCallTableRow,
    PinTableRow, ProcessTableRow, WindowTableRow,
};
use super::scroll::ScrollPosition;
use super::system;
use super::table::{ColumnChoice, Order, Scene, TableView};
use super::view::View;

/// The state of every view.
#[derive(Debug, Default)]
pub(super) struct Views {
    pub(super) shown: View,
    pub(super) processes: TableView<ProcessTableRow>,
    pub(super) cgroups: TableView<CgroupTableRow>,
    pub(super) holders: TableView<HolderTableRow>,
    pub(super) pins: TableView<PinTableRow>,
    pub(super) call_sites: TableView<CallSiteTableRow>,
    pub(super) findings: TableView<FindingTableRow>,
    pub(super) windows: TableView<WindowTableRow>,
    pub(super) pin_calls: TableView<PinCallTableRow>,
    pub(super) changes: TableView<ChangeTableRow>,
    pub(super) system: ScrollPosition,
}

/// The number of rows of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowCount {
    /// Rows that the filter leaves.
    pub(super) shown: usize,
    /// All rows.
    pub(super) all: usize,
}

/// Evaluates one expression for the table of the shown view, or another one for the view without a table.
macro_rules! of_shown {
    ($views:expr, $table:ident => $of_table:expr, $of_system:expr) => {
        match $views.shown {
            View::Processes => {
                let $table = &mut $views.processes;
                $of_table
            }
            View::Cgroups => {
                let $table = &mut $views.cgroups;
                $of_table
            }
            View::Holders => {
                let $table = &mut $views.holders;
                $of_table
            }
            View::Pins => {
                let $table = &mut $views.pins;
                $of_table
            }
            View::CallSites => {
                let $table = &mut $views.call_sites;
                $of_table
            }
            View::Findings => {
                let $table = &mut $views.findings;
                $of_table
            }
            View::FlushWindows => {
                let $table = &mut $views.windows;
                $of_table
            }
            View::PinCalls => {
                let $table = &mut $views.pin_calls;
                $of_table
            }
            View::Changes => {
                let $table = &mut $views.changes;
                $of_table
            }
            View::System => $of_system,
        }
    };
    (ref $views:expr, $table:ident => $of_table:expr, $of_system:expr) => {
        match $views.shown {
            View::Processes => {
                let $table = &$views.processes;
                $of_table
            }
            View::Cgroups => {
                let $table = &$views.cgroups;
                $of_table
            }
            View::Holders => {
                let $table = &$views.holders;
                $of_table
            }
            View::Pins => {
                let $table = &$views.pins;
                $of_table
            }
            View::CallSites => {
                let $table = &$views.call_sites;
                $of_table
            }
            View::Findings => {
                let $table = &$views.findings;
                $of_table
            }
            View::FlushWindows => {
                let $table = &$views.windows;
                $of_table
            }
            View::PinCalls => {
                let $table = &$views.pin_calls;
                $of_table
            }
            View::Changes => {
                let $table = &$views.changes;
                $of_table
            }
            View::System => $of_system,
        }
    };
}

impl Views {
    /// Chooses and orders the rows of the shown view. The other views are arranged when they are shown.
    pub(super) fn arrange(&mut self, snapshot: &Snapshot, baseline: Option<&Snapshot>, filter: &Filter) {
        of_shown!(self, table => table.arrange(snapshot, baseline, filter), ());
    }

    /// Returns true while a row fills the screen.
    pub(super) fn is_open(&self) -> bool {
        of_shown!(ref self, table => table.is_open(), false)
    }

    /// Opens the row under the cursor, or closes the open row.
    pub(super) fn open(&mut self) {
        of_shown!(self, table => if table.is_open() { table.back(); } else { table.open(); }, ());
    }

    /// Closes the open row, or leaves the zoomed part of a tree. Returns false if there was none.
    pub(super) fn back(&mut self) -> bool {
        of_shown!(self, table => table.back(), false)
    }

    /// Moves the cursor, or scrolls.
    pub(super) fn go(&mut self, lines: isize) {
        of_shown!(self, table => table.go(lines), self.system.go(lines));
    }

    /// Moves the cursor to a row. Returns true if the cursor was there.
    pub(super) fn point(&mut self, row: usize) -> bool {
        of_shown!(self, table => table.point(row), false)
    }

    /// Orders by a column; reverses the order if that is the sort column.
    pub(super) fn sort(&mut self, column: &'static str) {
        of_shown!(self, table => table.order.toggle(column), ());
    }

    /// Orders by the column that is some columns to the right.
    pub(super) fn sort_beside(&mut self, steps: isize) {
        of_shown!(self, table => table.sort_beside(steps), ());
    }

    /// Reverses the order.
    pub(super) fn reverse(&mut self) {
        of_shown!(self, table => table.order.reversed = !table.order.reversed, ());
    }

    /// Hides or shows the rows inside the row under the cursor.
    pub(super) fn fold(&mut self, folded: bool) {
        of_shown!(self, table => table.fold(folded), ());
    }

    /// Shows a part of a tree alone, or the whole tree.
    pub(super) fn zoom(&mut self) {
        of_shown!(self, table => table.zoom(), ());
    }

    /// Returns the columns of the view.
    pub(super) fn columns(&self) -> Vec<ColumnChoice> {
        of_shown!(ref self, table => table.choices(), Vec::new())
    }

    /// Shows or hides a column.
    pub(super) fn toggle_column(&mut self, id: &'static str) {
        of_shown!(self, table => table.toggle_column(id), ());
    }

    /// Moves a column by `steps` in the order of display.
    pub(super) fn move_column(&mut self, id: &'static str, steps: isize) {
        of_shown!(self, table => table.move_column(id, steps), ());
    }

    /// Shows only some columns of a view, in this order.
    pub(super) fn show_columns(&mut self, view: View, ids: &[&'static str]) {
        let before = std::mem::replace(&mut self.shown, view);
        of_shown!(self, table => table.show_columns(ids), ());
        self.shown = before;
    }

    /// Orders a view from the beginning.
    pub(super) fn begin_sorted(&mut self, view: View, sort: Sort) {
        let before = std::mem::replace(&mut self.shown, view);
        let order = Order {
            column: sort.column,
            reversed: sort.reversed,
        };
        of_shown!(self, table => table.order = order, ());
        self.shown = before;
    }

    /// Returns the order of the shown view; `None` for a view without rows.
    pub(super) fn order(&self) -> Option<Order> {
        of_shown!(ref self, table => Some(table.order), None)
    }

    /// Returns the number of rows; `None` for a view without rows.
    pub(super) fn count(&self) -> Option<RowCount> {
        of_shown!(
            ref self,
            table => Some(RowCount { shown: table.rows.len(), all: table.all }),
            None
        )
    }

    /// Returns the lines that are visible of an open row or of a view without rows, for the footer.
    pub(super) fn position(&self, page: usize) -> Option<String> {
        of_shown!(
            ref self,
            table => table.is_open().then(|| table.position(page)),
            Some(self.system.status(page))
        )
    }

    /// Returns the values of the row under the cursor, by id of the column.
    pub(super) fn values(&self, snapshot: &Snapshot) -> Vec<(&'static str, Value<'_>)> {
        of_shown!(ref self, table => table.values(snapshot.time), Vec::new())
    }

    /// Draws the view, and returns how many rows or lines fit.
    pub(super) fn draw(
        &mut self,
        scene: &Scene<'_>,
        area: Rect,
        buffer: &mut Buffer,
        clicks: &mut Clicks,
    ) -> usize {
        of_shown!(
            self,
            table => table.draw(scene, area, buffer, clicks),
            {
                let lines = |width| system::lines(scene.snapshot, width, scene.theme);
                self.system.draw(lines, area, buffer, scene.theme)
            }
        )
    }
}
