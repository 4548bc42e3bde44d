//! What happens to pinned memory besides: copies, changed mappings, flushes that are pending.
//!
//! Hooks here lie on paths that every process takes, so each leaves by its first instructions where nobody has
//! pinned anything and no window is open. None of them touches the ledger. What they find is folded into tables that
//! user space reads ([`copies`], [`windows`]), or told as a record where the mapping of a watched address is changed
//! ([`touches`]); whether that hits an extent, the model decides.

mod both;
pub mod call;
pub mod copies;
pub mod facts;
pub mod grains;
mod hooks_advice;
mod hooks_fault;
mod hooks_flush;
mod hooks_fork;
mod hooks_protect;
mod hooks_space;
mod inside;
mod open;
mod references;
mod slots;
mod tally;
mod touches;
pub mod windows;

use both::both_turns;
pub use inside::pinned;
