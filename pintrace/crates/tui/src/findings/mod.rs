//! The view of what was found: the list with the evidence of one, that one alone, and pending-flush windows.

mod list;
mod screen;
mod state;
mod whole;
mod windows;

pub(super) use screen::draw;
pub(super) use state::Findings;
