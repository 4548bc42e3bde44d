//! Tests of pinload as a program: command lines, JSON lines and exit codes.
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
