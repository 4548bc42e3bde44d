//! Turns ring-buffer records, BPF maps and memory scans into events. The tracker resolves pids, stack ids and addresses
//! to names at once, because a pid, a stack id or an address has no meaning after the session.

mod accounts;
pub mod budget;
mod changing;
mod emitted_extents;
mod emitter;
mod exit;
mod extents;
mod late_stacks;
mod mm_events;
pub mod names;
mod pin_calls;
mod preexisting_file;
mod processes;
pub mod reconcile;
mod registrations;
pub mod sampler;
pub mod scan_events;
mod start_time;
pub mod tracker;
