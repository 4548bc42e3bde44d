//! The screens about findings: the list with the evidence of the selected finding, one finding alone, and flush
//! windows.

mod finding_detail;
mod list;
mod screen;
mod state;
mod windows;

pub(super) use screen::draw;
pub(super) use state::FindingsView;
