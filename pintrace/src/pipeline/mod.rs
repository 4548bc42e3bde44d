//! One ordered stream from a source to its sinks.
//!
//! [`session`] produces events from the running kernel, [`run`] hands them to the [`sink`]s in
//! order. What reaches the model in a live view is what a recording holds.

pub mod loader_btf;
mod origin;
pub mod run;
pub mod session;
pub mod sink;
pub mod start;
pub mod traced;
pub mod watched;
