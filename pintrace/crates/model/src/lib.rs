//! The model: folds events into a state and gives snapshots of that state.
//!
//! The model has no I/O, no clock and no view: time comes from events. A symbol may arrive after the accounts that need it,
//! so the model resolves subsystems, stacks and the balance when it takes a snapshot.

pub mod assessment;
mod balance;
mod caller;
mod detect;
mod evidence;
pub mod field;
pub mod finding;
mod finding_table;
mod fold;
pub mod history;
pub mod hold_times;
mod ledger_state;
mod limits;
pub mod locked_memory;
pub mod loss;
pub mod own_cost;
pub mod pin_calls;
mod pins;
mod pins_view;
mod process_view;
pub mod registrations;
mod resolve;
pub mod selection;
pub mod shared_list;
pub mod shed;
pub mod snapshot;
mod stack;
mod stream;
pub mod subsystem;
mod subsystem_sums;
pub mod suppressed;
pub mod text;
pub mod views;
mod windows;

#[cfg(test)]
mod tests;

pub use fold::Model;
