//! pintrace shows which processes hold pinned memory, and since when.
//!
//! This crate holds the commands, the configuration, the pipeline that connects a source of events to its sinks, the replay
//! of recordings, and the sandbox. All other code is in
//! the crates below `pintrace/crates`.

pub mod cli;
pub mod cmd;
pub mod config;
pub mod exit;
pub mod pipeline;
pub mod replay;
mod sandbox;
