//! From kernel-side records and tables to events: names are looked up now, because tomorrow a pid, a
//! stack id or an address means nothing.

mod accounts;
pub mod budget;
mod changing;
mod emitter;
mod exit;
mod extents;
mod late_stacks;
mod mm_events;
pub mod names;
pub mod reconcile;
pub mod sampler;
pub mod scan_events;
pub mod tracker;
