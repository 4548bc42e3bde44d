//! The traced kernel as a source of ring-buffer records and BPF maps. (`pintrace-record` reads recordings.)
//!
//! [`trace_source`] loads and attaches the programs. [`decode`] turns ring-buffer bytes into records, [`ledger`] reads
//! the maps of the ledger, and [`baseline`] compares the ledger's totals with the kernel's vmstat counters.
//! [`test_pins`] finds out whether pins and releases reach the hooks.

pub mod baseline;
mod code_kinds;
pub mod decode;
pub mod ended_calls;
pub mod ledger;
pub mod ledger_repair;
pub mod mm_events;
pub mod pin_calls;
pub mod registrations;
mod run_program;
mod skipped;
pub mod test_pins;
pub mod trace_source;
