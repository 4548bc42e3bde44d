//! The reference count of a folio, taken apart.
//!
//! The parts are those that migration expects (`folio_expected_ref_count`, include/linux/mm.h), and the pins. What is
//! left is held by something that no table shows: an I/O in progress, a list of pages on their way to the LRU, a pipe, a
//! FOLL_GET reference.

use pintrace_common::scan::{MAPPING_ANON, MAPPING_FILE};
use pintrace_kernel::layout::PIN_BIAS;

use super::flags;
use super::folio::FolioRead;

/// The parts of a reference count. All but `total` and `pins` count references.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct References {
    /// The reference count (`_refcount`).
    pub total: u64,
    /// Number of pins.
    pub pins: u64,
    /// References of the pins: 1024 for each pin of a folio without an exact number of pins, else 1.
    pub of_pins: u64,
    /// References of page table entries; `None` if unknown.
    pub mappings: Option<u64>,
    /// References of the page cache.
    pub page_cache: u64,
    /// References of the swap cache.
    pub swap_cache: u64,
    /// References of private data of the file system (`PG_private`).
    pub private_data: u64,
    /// References that nothing explains. Below 0 if the counts changed during the reading. `None` if `mappings` is.
    pub unexplained: Option<i64>,
}

impl References {
    /// Takes the reference count apart. `pins` is the number of pins, and `flags` are the flags of the head page.
    pub(super) fn of(folio: &FolioRead, pins: u32, maps: Option<u64>, flags: u64) -> Self {
        let mut parts = Self {
            total: folio.found.refcount.into(),
            pins: pins.into(),
            of_pins: u64::from(pins) * if folio.exact { 1 } else { u64::from(PIN_BIAS) },
            mappings: maps,
            ..Self::default()
        };
        let pages = 1u64 << folio.place.order;
        let hugetlb = flags & flags::HUGE != 0;
        match folio.found.mapping {
            MAPPING_ANON if flags & flags::SWAPCACHE != 0 => parts.swap_cache = pages,
            MAPPING_FILE => {
                // Before 6.7, the page cache holds one reference of a hugetlb page, later one for each page.
                let rest = parts.rest().unwrap_or(0);
                let one = hugetlb && rest < i64::try_from(pages).unwrap_or(i64::MAX);
                parts.page_cache = if one { 1 } else { pages };
                parts.private_data = u64::from(flags & flags::PRIVATE != 0 && !hugetlb);
            }
            _ => {}
        }
        parts.unexplained = parts.rest();
        parts
    }

    /// Returns the references that no part explains. `None` if a part is unknown.
    fn rest(&self) -> Option<i64> {
        let explained = self.of_pins + self.mappings? + self.page_cache + self.swap_cache + self.private_data;
        i64::try_from(i128::from(self.total) - i128::from(explained)).ok()
    }
}
