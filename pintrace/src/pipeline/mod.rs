//! One ordered stream from a source to its sinks.
//!
//! [`session`] produces events from the running kernel, [`run`] hands them to the [`sink`]s in
//! order. What reaches the model in a live view is what a recording holds.

pub mod loader_btf;
pub mod run;
pub mod scan_session;
pub mod session;
pub mod sink;
pub mod start;
mod stream_header;
pub mod trace_session;
