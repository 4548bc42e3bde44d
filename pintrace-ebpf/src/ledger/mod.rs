//! The ledger: which account or extent holds how many pins on which folio.

pub mod accounts;

pub mod acquire;
pub mod areas;
pub mod changed_extents;
pub mod chunks;
pub mod code_kind;
pub mod ended_calls;
pub mod extents;
pub mod folio_table;
pub mod longterm_scope;
pub mod multi_owner;
mod multi_owner_release;
mod open_file;
pub mod owner_block;
pub mod owners;
pub mod partial_release;
pub mod pin_call;
pub mod pin_calls;
mod reconcile;
pub mod registrations;
pub mod release;
pub mod releaser;
pub mod small_folio;
pub mod state;
pub mod walk;
