//! pinload from the outside: command lines in, JSON lines and exit codes out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests as well"
)]

mod demo;
mod lines;
mod scenario;
mod session;
mod vmstat;
