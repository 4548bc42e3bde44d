//! The commands, one file each: `Args` is its command line, `run` does it.

pub mod check;
mod child;
pub mod doctor;
mod privileges;
pub mod record;
pub mod report;
mod run_session;
pub mod scan;
pub mod serve;
mod signals;
pub mod top;
pub mod trace_args;
