//! The view of what was found: the list with the evidence of one, that one alone, and pending-flush windows.

mod finding_detail;
mod list;
mod screen;
mod state;
mod windows;

pub(super) use screen::draw;
pub(super) use state::FindingsView;
