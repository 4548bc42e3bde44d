//! The commands, one file each: `Args` is its command line, `run` does it.

#[cfg(feature = "live")]
pub mod check;
#[cfg(feature = "live")]
mod child;
#[cfg(feature = "live")]
pub mod doctor;
#[cfg(feature = "live")]
pub mod live;
#[cfg(feature = "live")]
mod privileges;
#[cfg(feature = "live")]
pub mod record;
pub mod report;
#[cfg(feature = "live")]
pub mod scan;
#[cfg(all(feature = "live", feature = "serve"))]
pub mod serve;
#[cfg(feature = "live")]
mod signals;
#[cfg(all(feature = "live", feature = "tui"))]
pub mod top;
#[cfg(feature = "live")]
mod watch;
