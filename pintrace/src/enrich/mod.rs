//! From kernel-side records and tables to events: names are looked up now, because tomorrow a pid, a
//! stack id or an address means nothing.

#[cfg(feature = "live")]
mod changing;
#[cfg(feature = "live")]
mod exit;
#[cfg(feature = "live")]
mod extents;
#[cfg(feature = "live")]
mod late_stacks;
pub mod names;
pub mod process;
pub mod sightings;
#[cfg(feature = "live")]
pub mod tracker;
#[cfg(feature = "live")]
mod watch;
