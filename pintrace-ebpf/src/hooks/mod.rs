//! The programs that keep the ledger: each reads the arguments of one kernel function and calls the ledger.

mod longterm;
mod moved_pages;
mod pin;
pub mod pin_kprobe;
mod process_exec;
mod process_exit;
mod registration;
mod registration_kprobe;
mod unpin;
