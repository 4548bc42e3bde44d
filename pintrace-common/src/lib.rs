//! Definitions that the eBPF programs and user space share.
//!
//! The crate contains plain data: records of the ring buffer, sizes of the maps, names of the counters, and the kernel
//! facts that user space injects. The crate needs neither std nor aya, so that both sides compile the same definitions.
#![no_std]

#[macro_use]
mod injected;

pub mod counters;
pub mod facts;
pub mod folio;
pub mod holder_kind;
pub mod kfuncs;
pub mod ledger;
pub mod limits;
pub mod mm_events;
pub mod pin_calls;
pub mod range_filter;
pub mod reconcile;
pub mod registrations;
pub mod release_outcome;
pub mod scan;
pub mod test_pins;
pub mod wire;

pub use injected::Injected;
