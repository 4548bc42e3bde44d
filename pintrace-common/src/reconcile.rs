//! Setting the ledger right by what the struct pages say: what the programs and user space agree on.

use crate::limits::COMM_BYTES;

/// Folios that one run looks at.
pub const FOLIOS: u32 = 64;

/// In place of an account's caller: pins that are older than the hooks, or that the hooks lost and a look at memory
/// found. No kernel code lies there.
pub mod caller {
    /// Older than the hooks.
    pub const PREEXISTING: u64 = 1;
    /// Found after a loss.
    pub const RECONCILED: u64 = 2;
}

/// What is wanted, and what one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ReconcileRun {
    /// The account that was opened.
    pub account: u64,
    /// Pins that folios had and the ledger did not: given to the account.
    pub added: u64,
    /// Such pins that found no room, or no account was named for.
    pub missing: u64,
    /// Pins that the ledger had and folios did not: taken off their owners.
    pub dropped: u64,
    /// The command name for an account that is opened.
    pub comm: [u8; COMM_BYTES],
}
