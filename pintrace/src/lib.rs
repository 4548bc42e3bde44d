//! pintrace: who holds pinned memory, and since when.
//!
//! The layers, lowest first; a lower one never imports a higher one (tests/imports.rs checks it):
//! `event`, `units`; `model`, `record`; `attach`, `source`, `enrich`; `pipeline`, views; `cmd`, `cli`.

pub mod event;
pub mod model;
pub mod units;

#[cfg(test)]
mod story;
