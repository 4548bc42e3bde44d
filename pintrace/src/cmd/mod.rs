//! The commands, one file each: `Args` is its command line, `run` does it.

pub mod check;
mod child;
pub mod doctor;
pub mod live;
mod privileges;
pub mod record;
pub mod report;
pub mod scan;
pub mod serve;
mod signals;
pub mod top;
mod watch;
