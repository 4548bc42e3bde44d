//! pintrace: who holds pinned memory, and since when.
//!
//! The layers, lowest first; a lower one never imports a higher one (tests/imports checks it):
//! `event`, `units`; `model`, `record`; `attach`, `source`, `enrich`; `pipeline`, views; `cmd`, `cli`.

pub mod attach;
pub mod cli;
pub mod cmd;
pub mod enrich;
pub mod event;
pub mod exit;
pub mod export;
#[cfg(feature = "serve")]
pub mod metrics;
pub mod model;
pub mod pipeline;
pub mod record;
pub mod scan;
pub mod source;
#[cfg(feature = "tui")]
pub mod tui;
pub mod units;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod story;
