//! A view that is a table: one row for each object, sortable columns, and the detail of the row under the cursor.

mod draw;
mod order;
mod row;
mod state;
mod tree;

pub(crate) use order::Order;
pub(crate) use row::{Scene, TableRow, default_width, text};
pub(crate) use state::{ColumnChoice, TableView};
pub(crate) use tree::TreeState;
