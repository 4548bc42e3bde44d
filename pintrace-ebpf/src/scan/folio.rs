//! The check of a page that may be pinned.

use pintrace_common::facts::Facts;
use pintrace_common::folio::order_of;
use pintrace_common::scan::{
    BLOCK, CHUNK_PAGES, EXCLUSIVE_NO, EXCLUSIVE_YES, MAPPING_ANON, MAPPING_FILE, MAPPING_KSM, PAGE_STRUCT,
    PinnedFolio,
};

use crate::{
    facts::SCAN_FACTS,
    maps::{self, CHUNK_BYTES},
};

/// Adds the folio whose head is page `index` of the chunk to the result, if the folio is pinned. The function is
/// global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_scan_folio(first: u64, index: u32) -> u32 {
    let Some(chunk) = maps::chunk() else {
        return 0;
    };
    let at = (index as usize & (CHUNK_PAGES as usize - 1)) * PAGE_STRUCT;
    let flags = u64_at(chunk, at + SCAN_FACTS.page_flags() as usize);
    let refcount = u32_at(chunk, at + SCAN_FACTS.page_refcount() as usize);
    // The kernel has not set up the struct page (`PAGE_POISON_PATTERN`), or its reference count is negative.
    if flags == u64::MAX || refcount >> 31 != 0 {
        return 0;
    }
    let pfn = first + u64::from(index);
    let order = if is_head(flags) { order_at(chunk, at) } else { 0 };
    // If the struct pages of a hugetlb folio are folded, each page of struct pages seems to begin with the head.
    if pfn & ((1u64 << (order & 31)) - 1) != 0 {
        return 0;
    }
    let exact = order != 0 && order >= u64::from(SCAN_FACTS.pincount_order());
    let pins = if exact {
        u32_at(chunk, at + SCAN_FACTS.folio_pincount() as usize)
    } else {
        refcount.checked_div(SCAN_FACTS.pin_bias()).unwrap_or(0)
    };
    // A plausible count of pins is at most the count of references.
    if pins == 0 || pins > refcount {
        return 0;
    }
    let mapping = match u64_at(chunk, at + SCAN_FACTS.page_mapping() as usize) {
        0 => 0,
        mapping if mapping & 3 == 3 => MAPPING_KSM,
        mapping if mapping & 1 == 1 => MAPPING_ANON,
        _ => MAPPING_FILE,
    };
    let mapcount = if order == 0 {
        u32_at(chunk, at + SCAN_FACTS.page_mapcount() as usize).wrapping_add(1)
    } else {
        0
    };
    write(PinnedFolio {
        pfn,
        pins,
        refcount,
        mapcount,
        order: order as u8,
        mapping,
        uptodate: (flags >> (SCAN_FACTS.pg_uptodate() & 63) & 1) as u8,
        exclusive: exclusive(flags, mapping),
    });
    0
}

/// Returns whether the page with these flags is exclusive; 0 for other than anonymous memory.
#[inline(always)]
fn exclusive(flags: u64, mapping: u8) -> u8 {
    let bit = SCAN_FACTS.pg_anon_exclusive();
    if bit == Facts::ABSENT || mapping & MAPPING_ANON == 0 {
        0
    } else if flags >> (bit & 63) & 1 == 1 {
        EXCLUSIVE_YES
    } else {
        EXCLUSIVE_NO
    }
}

#[inline(always)]
fn write(found: PinnedFolio) {
    let Some(state) = maps::state() else {
        return;
    };
    let Some(block) = maps::SCAN_FOUND.get_ptr_mut((state.found / BLOCK as u64) as u32) else {
        return;
    };
    // SAFETY: a live map value. The index is masked to the length of the value.
    unsafe {
        let place = (&raw mut (*block).entries).cast::<PinnedFolio>();
        place.add(state.found as usize & (BLOCK - 1)).write(found);
    }
    state.found += 1;
}

/// Returns true if a page with these flags is the head of a folio.
#[inline(always)]
pub fn is_head(flags: u64) -> bool {
    flags >> (SCAN_FACTS.pg_head() & 63) & 1 == 1
}

/// Returns log2 of the pages of the folio whose head is `at` bytes into the chunk.
#[inline(always)]
fn order_at(chunk: *mut u8, at: usize) -> u64 {
    u64::from(order_of(u32_at(chunk, at + SCAN_FACTS.folio_nr_pages() as usize)))
}

/// Returns the u32 at `at` bytes into the chunk; 0 outside the chunk.
#[inline(always)]
pub fn u32_at(chunk: *mut u8, at: usize) -> u32 {
    if at > CHUNK_BYTES - 4 {
        return 0;
    }
    // SAFETY: inside the chunk by the check above.
    unsafe { chunk.add(at).cast::<u32>().read_volatile() }
}

/// Returns the u64 at `at` bytes into the chunk; 0 outside the chunk.
#[inline(always)]
pub fn u64_at(chunk: *mut u8, at: usize) -> u64 {
    if at > CHUNK_BYTES - 8 {
        return 0;
    }
    // SAFETY: inside the chunk by the check above.
    unsafe { chunk.add(at).cast::<u64>().read_volatile() }
}
