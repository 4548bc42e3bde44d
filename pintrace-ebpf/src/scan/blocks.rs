//! Free blocks and large folios: blocks of 2^order pages, aligned to their size.

use pintrace_common::scan::{CHUNK_PAGES, buddy};

use crate::facts::SCAN_FACTS;

/// The largest plausible order of a block or folio: 1 GiB.
const MOST_ORDER: u64 = 18;
/// log2 of the pages of a chunk.
const CHUNK_ORDER: u64 = CHUNK_PAGES.trailing_zeros() as u64;

/// Returns the pages of a block or folio of this order, if it is as large as a chunk and aligned at the frame; else 0.
#[inline(always)]
pub fn aligned_pages(first: u64, order: u64) -> u64 {
    if !(CHUNK_ORDER..=MOST_ORDER).contains(&order) {
        return 0;
    }
    let pages = 1u64 << (order & 31);
    if first & (pages - 1) == 0 { pages } else { 0 }
}

/// Returns true if a page of this type is the first page of a free block.
#[inline(always)]
pub fn is_free(page_type: u32) -> bool {
    match SCAN_FACTS.buddy() {
        buddy::TOP_BYTE => page_type >> 24 == SCAN_FACTS.pgty_buddy(),
        buddy::CLEARED_BIT => page_type & (buddy::BASE | buddy::BIT) == buddy::BASE,
        _ => false,
    }
}
