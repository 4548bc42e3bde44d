//! The screens about processes: the table, and one process with its extents and threads.

mod detail;
mod process_lists;
mod state;
mod table;

pub(super) use detail::draw as draw_detail;
pub(super) use state::ProcessesView;
pub(super) use table::draw as draw_table;
