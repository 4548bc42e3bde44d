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

    /// Returns the caller of an account. `holder` is an index in [`super::HOLDERS`], `evidence` is [`PAGE_TABLES`] or
    /// [`KERNEL_TABLE`].
    #[must_use]
    pub const fn of(origin: u64, holder: u8, evidence: u64) -> u64 {
        origin | (holder as u64) << 8 | evidence << 16
    }

    /// Returns the origin of an account; `None` for the address of kernel code.
    #[must_use]
    pub const fn origin(caller: u64) -> Option<u64> {
        match caller & ORIGIN {
            origin @ (PREEXISTING | RECONCILED) if caller >> 24 == 0 => Some(origin),
            _ => None,
        }
    }

    /// Returns the index in [`super::HOLDERS`] of an account with an origin.
    #[must_use]
    pub const fn holder(caller: u64) -> usize {
        (caller >> 8 & 0xff) as usize
    }

    /// Returns the evidence of an account with an origin.
    #[must_use]
    pub const fn evidence(caller: u64) -> u64 {
        caller >> 16 & 0xff
    }
}

/// Subsystems to which a scan attributes pins. The first is for an unknown subsystem.
pub const HOLDERS: [&str; 13] = [
    "", "io_uring", "af_xdp", "udmabuf", "vfio", "iommufd", "rdma", "kvm", "drm", "nvidia", "vhost", "v4l2",
    "other",
];

/// Returns the index of a subsystem in [`HOLDERS`]; 0 for an unknown subsystem.
#[must_use]
pub fn holder_index(subsystem: &str) -> u8 {
    let index = HOLDERS.iter().position(|holder| *holder == subsystem);
    index.unwrap_or(0) as u8
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

    #[test]
    fn the_caller_of_a_scanned_account_is_told_from_a_kernel_address() {
        let caller = caller::of(caller::PREEXISTING, holder_index("udmabuf"), caller::KERNEL_TABLE);
        assert_eq!(caller::origin(caller), Some(caller::PREEXISTING));
        assert_eq!(HOLDERS[caller::holder(caller)], "udmabuf");
        assert_eq!(caller::evidence(caller), caller::KERNEL_TABLE);
        assert_eq!(caller::origin(0xffff_ffff_8100_0001), None);
        assert_eq!(caller::origin(0), None);
    }
}
