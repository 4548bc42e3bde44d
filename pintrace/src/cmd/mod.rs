//! The commands, one file or folder each. `Args` is the command line, and `run` runs the command.

pub mod bpf_statistics;
pub mod cannot_trace;
pub mod check;
mod child;
pub mod config;
mod detach;
pub mod doctor;
pub mod generate;
mod output_width;
mod pids;
mod privileges;
pub mod record;
mod recording_file;
pub mod replay;
pub mod report;
mod run_session;
mod save_snapshot;
pub mod scan;
pub mod serve;
mod service_manager;
mod signals;
pub mod top;
pub mod trace_args;
pub(crate) mod view_rows;
mod where_query;
