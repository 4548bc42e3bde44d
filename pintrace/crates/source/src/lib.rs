//! The running kernel as a source of records and tables. (A file is read by `pintrace-record`.)
//!
//! [`live`] loads and attaches the programs. [`decode`] turns ring-buffer bytes into records, [`ledger`] reads the
//! kernel-side tables, and [`truth`] compares the ledger's totals with the kernel's own counters.

pub mod decode;
pub mod ledger;
pub mod live;
pub mod mender;
mod skipped;
pub mod truth;
pub mod watch;
