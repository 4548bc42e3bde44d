//! What holds on a real kernel. Runs in guest machines, as root, one test at a time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod counts_fio;
mod counts_pinload;
mod harness;
