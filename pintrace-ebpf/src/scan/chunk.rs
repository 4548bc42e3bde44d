//! The scan of one chunk of struct pages. The algorithm is the same for each [`Reader`].

use pintrace_common::folio::order_of;
use pintrace_common::scan::{CHUNK_PAGES, PAGE_STRUCT, ROW_CHUNKS, ROWS, ScanState};

use crate::{blocks, facts::SCAN_FACTS, folio, maps};

/// A way to read the struct pages of a chunk.
pub trait Reader: Copy {
    /// Begins to read the chunk whose first frame is `first`. `copy` is room for the chunk's struct pages, which are at
    /// `address`. Returns `None` if there are no struct pages.
    fn open(state: &mut ScanState, copy: *mut u8, first: u64, address: u64) -> Option<Self>;

    /// Returns a u32 field of the chunk's first page.
    fn u32_at(self, offset: u32) -> u32;

    /// Returns a u64 field of the chunk's first page.
    fn u64_at(self, offset: u32) -> u64;

    /// Calls [`folio::pintrace_scan_folio`] for each page that may be pinned, once the pages are in `copy`.
    fn scan_folios(self, first: u64);
}

/// Scans frames `from..to`, or as far as one run goes. `row` is the reader's global function for [`scan_row`].
#[inline(always)]
pub fn scan(from: u64, to: u64, vmemmap: u64, row: extern "C" fn() -> u32) {
    if !maps::begin(from, to, vmemmap) {
        return;
    }
    let mut index = 0;
    while index < ROWS {
        if row() != 0 {
            break;
        }
        index += 1;
    }
}

/// Scans a row of chunks. Not 0 at the end of the range. `chunk` is the reader's global function for [`scan_chunk`].
#[inline(always)]
pub fn scan_row(chunk: extern "C" fn() -> u32) -> u32 {
    let mut index = 0;
    while index < ROW_CHUNKS {
        if chunk() != 0 {
            return 1;
        }
        index += 1;
    }
    0
}

/// Scans the next chunk. Steps over the free block or the folio that begins at the chunk, if the block or folio is
/// larger than the chunk. Not 0 at the end of the range.
#[inline(always)]
pub fn scan_chunk<R: Reader>() -> u32 {
    let (Some(state), Some(copy)) = (maps::state(), maps::chunk()) else {
        return 1;
    };
    let first = state.next & !(CHUNK_PAGES - 1);
    if first >= state.end {
        return 1;
    }
    let address = state.vmemmap + first * PAGE_STRUCT as u64;
    let Some(reader) = R::open(state, copy, first, address) else {
        state.absent += CHUNK_PAGES;
        state.next = first + CHUNK_PAGES;
        return 0;
    };
    state.read += CHUNK_PAGES;
    let free = free_pages(reader, first);
    if free != 0 {
        step(state, first, free);
        state.free += free;
        return 0;
    }
    reader.scan_folios(first);
    let folio = folio_pages(reader, first);
    if folio > CHUNK_PAGES {
        step(state, first, folio);
    } else {
        state.next = first + CHUNK_PAGES;
    }
    0
}

/// Continues behind a block or folio of `pages` pages that begins with the chunk.
#[inline(always)]
fn step(state: &mut ScanState, first: u64, pages: u64) {
    state.stepped += pages - CHUNK_PAGES;
    state.next = first + pages;
}

/// Returns the pages of the free block that begins at the chunk; 0 if there is none, or none as large as the chunk.
///
/// The scan reads the order of the block right after the mark that the block is free (`buddy_order`, mm/internal.h). A
/// task that allocates the block meanwhile may pin its pages. Pages that the scan has already passed may be pinned as
/// well.
#[inline(always)]
fn free_pages<R: Reader>(reader: R, first: u64) -> u64 {
    if blocks::is_free(reader.u32_at(SCAN_FACTS.page_mapcount())) {
        blocks::aligned_pages(first, reader.u64_at(SCAN_FACTS.page_private()))
    } else {
        0
    }
}

/// Returns the pages of the folio that begins at the chunk, if the folio is as large as the chunk; else 0.
#[inline(always)]
fn folio_pages<R: Reader>(reader: R, first: u64) -> u64 {
    if folio::is_head(reader.u64_at(SCAN_FACTS.page_flags())) {
        let order = u64::from(order_of(reader.u32_at(SCAN_FACTS.folio_nr_pages())));
        blocks::aligned_pages(first, order)
    } else {
        0
    }
}
