//! The own cost: measures what pintrace itself takes, beside the stream of events.
//!
//! [`watch::Watch`] takes a sample each second and keeps the latest one for the model. The samples are no events: they
//! say nothing about pins, and a recording has none.

pub mod attention;
mod maps;
mod meter;
mod programs;
mod run_time;
pub mod statistics;
pub mod watch;

pub use meter::Meter;
