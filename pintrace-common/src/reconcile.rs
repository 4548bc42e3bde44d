//! Definitions that the programs and user space share for the reconciliation of the ledger with the struct pages.

use crate::limits::COMM_BYTES;

/// Maximum number of folios of one run.
pub const FOLIOS: u32 = 64;

/// Values for the caller of an account whose pins no hook has counted. The values are no addresses of kernel code.
pub mod caller {
    /// Pins taken before the hooks were attached.
    pub const PREEXISTING: u64 = 1;
    /// Pins that the hooks lost and a scan found.
    pub const RECONCILED: u64 = 2;
}

/// Request and result of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ReconcileRun {
    /// Id of the account that was opened.
    pub account: u64,
    /// Number of pins that folios had and the ledger lacked, and that the account got.
    pub added: u64,
    /// Number of pins that the ledger lacked and that no account got: none was named, or the table is full.
    pub missing: u64,
    /// Number of pins that the ledger had and folios lacked, and that were taken off their owners.
    pub dropped: u64,
    /// Command name of the account to open.
    pub comm: [u8; COMM_BYTES],
}
