//! Delivers one ordered stream of events from a source to the sinks.
//!
//! [`session`] produces events from the running kernel, and [`run`] delivers the events to the [`sink`]s in order. The
//! model of a live view gets the same events as a recording.

pub mod budget;
pub mod loader_btf;
pub mod own_cost;
pub mod redact;
pub mod run;
pub mod scan_session;
pub mod session;
pub mod sink;
pub mod start;
pub(crate) mod stream_header;
pub mod trace_session;
