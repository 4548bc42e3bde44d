//! The running kernel as a source of records and tables. (A file is read by `pintrace-record`.)
//!
//! [`trace_source`] loads and attaches the programs. [`decode`] turns ring-buffer bytes into records, [`ledger`] reads the
//! kernel-side tables, and [`baseline`] compares the ledger's totals with the kernel's own counters.

pub mod baseline;
pub mod decode;
pub mod ledger;
pub mod ledger_repair;
pub mod mm_events;
mod skipped;
pub mod trace_source;
