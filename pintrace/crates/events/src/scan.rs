//! Memory scans.

use serde::{Deserialize, Serialize};

/// The totals of one memory scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanSampled {
    /// Pages of RAM.
    pub ram_pages: u64,
    /// Free pages, which the scan skipped.
    pub free_pages: u64,
    /// Time spent on reading the struct pages, ns.
    pub read_ns: u64,
    /// Time of the whole scan, ns.
    pub took_ns: u64,
    /// Pinned folios.
    pub folios: u64,
    /// Pins on these folios.
    pub pages: u64,
    /// Bytes that these pins keep in place.
    pub bytes: u64,
    /// Pins on pages that no process maps and no descriptor explains.
    pub unmapped_pages: u64,
    /// Pages that look pinned and most likely are not.
    pub implausible: u64,
    /// Processes whose page tables could not be read.
    pub refused: u64,
    /// Pages of address space and descriptors that could not be read.
    pub unread: u64,
}
