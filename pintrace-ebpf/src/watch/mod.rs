//! What happens to pinned memory besides: copies, changed mappings, flushes that are pending.
//!
//! Hooks here lie on paths that every process takes, so each leaves by its first instructions where nobody has
//! pinned anything and no window is open. None of them touches the ledger. What they find is folded into tables that
//! user space reads ([`copies`], [`windows`]), or told as a record where the mapping of a watched address is changed
//! ([`touches`]); whether that hits an extent, the model decides.

pub mod copies;
pub mod facts;
pub mod grains;
mod hooks_fault;
mod hooks_fork;
mod hooks_protect;
mod hooks_space;
mod open;
mod slots;
mod touches;
pub mod windows;

pub use open::pinned;
