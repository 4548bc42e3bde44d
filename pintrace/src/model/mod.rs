//! The model: events folded into state, and what can be asked of it.
//!
//! No I/O, no clocks, no views: time is an event.

pub mod snapshot;
pub mod subsystem;
