//! Blocks of 2^order pages that begin where such a block may.

use pintrace_common::scan::{CHUNK_PAGES, buddy};

use crate::facts::SCAN_FACTS;

/// The largest order that a block or folio is believed to have: 1 GiB.
const MOST_ORDER: u64 = 18;
/// log2 of the pages of a chunk.
const CHUNK_ORDER: u64 = CHUNK_PAGES.trailing_zeros() as u64;

/// Pages of a block or folio of this order, if it is as large as a chunk and may begin at this frame; else 0.
#[inline(always)]
pub fn aligned_pages(first: u64, order: u64) -> u64 {
    if !(CHUNK_ORDER..=MOST_ORDER).contains(&order) {
        return 0;
    }
    let pages = 1u64 << (order & 31);
    if first & (pages - 1) == 0 { pages } else { 0 }
}

/// Whether a page of this type is the first of a free block.
#[inline(always)]
pub fn is_free(page_type: u32) -> bool {
    match SCAN_FACTS.buddy() {
        buddy::TOP_BYTE => page_type >> 24 == SCAN_FACTS.pgty_buddy(),
        buddy::CLEARED_BIT => page_type & (buddy::BASE | buddy::BIT) == buddy::BASE,
        _ => false,
    }
}
