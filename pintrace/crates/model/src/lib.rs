//! The model: events folded into state, and what can be asked of it.
//!
//! No I/O, no clocks, no views: time is an event. Symbols may come after the accounts that need
//! them, so conclusions (subsystem, stack text, balance) are drawn when a snapshot is taken.

mod account;
pub mod assessment;
mod balance;
mod cow;
mod derive;
mod evidence;
mod extent;
mod extent_index;
pub mod field;
pub mod finding;
mod findings;
mod flow;
mod fold;
mod limits;
mod loss;
mod mapping_changes;
mod missing_longterm;
mod process;
mod ranges;
pub mod snapshot;
mod stack;
pub mod subsystem;
pub mod text;
mod windows;

#[cfg(test)]
mod tests;

pub use fold::Model;
