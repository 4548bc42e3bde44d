//! Events that concern pinned memory: copied pages, changed mappings, pending TLB flushes.
//!
//! The hooks are on paths that every process takes. Each hook returns within a few instructions if no process has
//! pinned memory and no flush window is open. No hook here changes the ledger. Results go to tables that user space
//! reads ([`cow`], [`flush_window`]) or, where the mapping of an address in the range filter changes, to the ring
//! ([`mapping_changes`]). User space decides whether a change hits an extent.

pub mod cow;
mod flush_window;
mod foll_get;
mod hooks;
mod mapping_changes;
mod per_tgid;
pub mod pinned_mms;
pub mod range_filter;
mod task_context;
mod with_backup;

pub use flush_window::events::pinned;
use with_backup::with_backup;
