//! One ordered stream from a source to its sinks.
//!
//! [`session`] produces events from the running kernel, [`run`] hands them to the [`sink`]s in
//! order. What reaches the model in a live view is what a recording holds.

#[cfg(feature = "live")]
mod budget;
#[cfg(feature = "live")]
mod mending;
#[cfg(feature = "live")]
mod origin;
#[cfg(feature = "live")]
pub mod run;
#[cfg(feature = "live")]
pub mod session;
pub mod sink;
#[cfg(feature = "live")]
pub mod start;
#[cfg(feature = "live")]
pub mod traced;
#[cfg(feature = "live")]
pub mod watched;
