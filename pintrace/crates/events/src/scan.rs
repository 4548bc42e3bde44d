//! Memory scans.

use serde::{Deserialize, Serialize};

/// The totals of one memory scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanSampled {
    /// Number of pages of RAM.
    pub ram_pages: u64,
    /// Number of free pages, which the scan skipped.
    pub free_pages: u64,
    /// Time spent on reading the struct pages, ns.
    pub read_ns: u64,
    /// Time of the whole scan, ns.
    pub took_ns: u64,
    /// Number of pinned folios.
    pub folios: u64,
    /// Number of pins on the pinned folios.
    pub pages: u64,
    /// Bytes of the pinned folios.
    pub bytes: u64,
    /// Pins on pages that no process maps and no descriptor explains.
    pub unmapped_pages: u64,
    /// Pages whose reference count suggests pins and which most likely carry no pin.
    pub implausible: u64,
    /// Processes whose page tables could not be read.
    pub refused: u64,
    /// Pages of address space and descriptors that could not be read.
    pub unread: u64,
}
