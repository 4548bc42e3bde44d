//! Definitions that the programs and user space share for the reconciliation of the ledger with the struct pages.

use crate::limits::COMM_BYTES;

/// Maximum number of folios of one run.
pub const FOLIOS: u32 = 64;

/// Values for the caller of an account whose pins no hook has counted: origin | holder << 8 | evidence << 16. The values
/// are no addresses of kernel code.
pub mod caller {
    /// Origin: pins taken before the hooks were attached.
    pub const PREEXISTING: u64 = 1;
    /// Origin: pins that the hooks lost and a scan found.
    pub const RECONCILED: u64 = 2;

    /// Evidence: page tables. The holder is a guess by what a process maps.
    pub const PAGE_TABLES: u64 = 0;
    /// Evidence: a table in kernel memory that names the pages of an open file.
    pub const KERNEL_TABLE: u64 = 1;

    /// Bits of the origin.
    const ORIGIN: u64 = 0xff;

    /// Returns the caller of an account. `holder` is one of [`crate::holder_kind::kind`], `evidence` is [`PAGE_TABLES`] or
    /// [`KERNEL_TABLE`].
    #[must_use]
    pub const fn of(origin: u64, holder: u64, evidence: u64) -> u64 {
        origin | holder << 8 | evidence << 16
    }

    /// Returns the origin of an account; `None` for the address of kernel code.
    #[must_use]
    pub const fn origin(caller: u64) -> Option<u64> {
        match caller & ORIGIN {
            origin @ (PREEXISTING | RECONCILED) if caller >> 24 == 0 => Some(origin),
            _ => None,
        }
    }

    /// Returns the kind of holder of an account with an origin.
    #[must_use]
    pub const fn holder(caller: u64) -> u64 {
        caller >> 8 & 0xff
    }

    /// Returns the evidence of an account with an origin.
    #[must_use]
    pub const fn evidence(caller: u64) -> u64 {
        caller >> 16 & 0xff
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holder_kind::kind;

    #[test]
    fn the_caller_of_a_scanned_account_is_told_from_a_kernel_address() {
        let caller = caller::of(caller::PREEXISTING, kind::UDMABUF, caller::KERNEL_TABLE);
        assert_eq!(caller::origin(caller), Some(caller::PREEXISTING));
        assert_eq!(caller::holder(caller), kind::UDMABUF);
        assert_eq!(caller::evidence(caller), caller::KERNEL_TABLE);
        assert_eq!(caller::origin(0xffff_ffff_8100_0001), None);
        assert_eq!(caller::origin(0), None);
    }
}
