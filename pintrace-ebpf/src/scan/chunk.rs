//! One chunk of struct pages: read at once, looked through, and what is free or one folio stepped over.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use pintrace_common::scan::{CHUNK_PAGES, PAGE_STRUCT, ScanState};

use crate::{
    blocks,
    facts::SCAN_FACTS,
    folio,
    maps::{self, CHUNK_BYTES},
};

/// Looks through the chunk that comes next. A global function: the verifier follows it once. Not 0 at the end of the
/// range.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_scan_chunk() -> u32 {
    let (Some(state), Some(chunk)) = (maps::state(), maps::chunk()) else {
        return 1;
    };
    let first = state.next & !(CHUNK_PAGES - 1);
    if first >= state.end {
        return 1;
    }
    let address = state.vmemmap + first * PAGE_STRUCT as u64;
    // SAFETY: the helper writes as many bytes as the map value has; a fault is an error, not a crash.
    if unsafe { bpf_probe_read_kernel(chunk.cast(), CHUNK_BYTES as u32, address as *const _) } != 0 {
        state.absent += CHUNK_PAGES;
        state.next = first + CHUNK_PAGES;
        return 0;
    }
    state.read += CHUNK_PAGES;
    let free = free_pages(chunk, first);
    if free != 0 {
        step(state, first, free);
        state.free += free;
        return 0;
    }
    let bias = SCAN_FACTS.pin_bias();
    let head_bit = 1u64 << (SCAN_FACTS.pg_head() & 63);
    let mut index = 0;
    while index < CHUNK_PAGES as usize {
        // SAFETY: the page lies inside the chunk, and the fields inside the page.
        let (flags, refcount) = unsafe {
            let page = chunk.add(index * PAGE_STRUCT);
            (
                page.add(SCAN_FACTS.page_flags() as usize & 56)
                    .cast::<u64>()
                    .read_volatile(),
                page.add(SCAN_FACTS.page_refcount() as usize & 60)
                    .cast::<u32>()
                    .read_volatile(),
            )
        };
        if refcount >= bias || flags & head_bit != 0 {
            folio::pintrace_scan_folio(first, index as u32);
        }
        index += 1;
    }
    let folio = folio::pages(chunk, first);
    if folio > CHUNK_PAGES {
        step(state, first, folio);
    } else {
        state.next = first + CHUNK_PAGES;
    }
    0
}

/// Goes on behind `pages` pages, of which the chunk is the beginning.
#[inline(always)]
pub fn step(state: &mut ScanState, first: u64, pages: u64) {
    state.stepped += pages - CHUNK_PAGES;
    state.next = first + pages;
}

/// Pages of the free block that the chunk begins; 0 if there is none, or none as large as the chunk.
///
/// Its order is read together with the mark that it is free (`buddy_order`, mm/internal.h): whoever takes the block
/// meanwhile may pin its pages, as he may pin pages that the scan has just passed.
#[inline(always)]
fn free_pages(chunk: *mut u8, first: u64) -> u64 {
    // SAFETY: fields of the chunk's first page.
    let (kind, order) = unsafe {
        (
            chunk
                .add(SCAN_FACTS.page_mapcount() as usize & 60)
                .cast::<u32>()
                .read_volatile(),
            chunk
                .add(SCAN_FACTS.page_private() as usize & 56)
                .cast::<u64>()
                .read_volatile(),
        )
    };
    if blocks::is_free(kind) {
        blocks::aligned_pages(first, order)
    } else {
        0
    }
}
