//! The commands, one file each: `Args` is its command line, `run` does it.

pub mod report;
