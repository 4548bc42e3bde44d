//! The model: events folded into state, and what can be asked of it.
//!
//! No I/O, no clocks, no views: time is an event. Symbols may come after the accounts that need
//! them, so conclusions (subsystem, stack text, truth) are drawn when a snapshot is taken.

mod account;
mod copies;
mod derive;
mod evidence;
mod extent;
pub mod field;
pub mod finding;
mod findings;
mod flow;
mod fold;
mod limits;
mod loss;
mod place;
mod process;
mod ranges;
pub mod snapshot;
mod stack;
pub mod subsystem;
pub mod text;
mod touches;
mod truth;
mod undeclared;
pub mod verdict;
mod windows;

#[cfg(test)]
mod tests;

pub use fold::Model;
