//! Tests of pinload as a program: command lines, JSON lines and exit codes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests as well"
)]

mod attribution_page;
mod bench;
mod churn;
mod demo;
mod holder;
mod holder_failures;
mod lines;
mod one_folio;
mod refusal;
mod refused;
mod scenario;
mod session;
mod vmstat;
