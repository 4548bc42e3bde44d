//! The same as `chunk.rs` where the kernel lets a program read its structures in place (`bpf_rdonly_cast`, 6.2): what
//! is read is not copied first, which is most of the time.

use aya_ebpf::{
    helpers::generated::bpf_probe_read_kernel, macros::raw_tracepoint, programs::RawTracePointContext,
};
use pintrace_common::rdonly_cast;
use pintrace_common::scan::{CHUNK_PAGES, PAGE_STRUCT, ROW_CHUNKS, ROWS, SECTION_ORDER};

use crate::{
    blocks, chunk,
    facts::SCAN_FACTS,
    folio,
    maps::{self, CHUNK_BYTES},
};

/// As `scan`.
#[raw_tracepoint]
pub fn scan_direct(ctx: RawTracePointContext) -> i32 {
    if !maps::begin(ctx.arg(0), ctx.arg(1), ctx.arg(2)) {
        return 0;
    }
    let mut row = 0;
    while row < ROWS {
        if pintrace_direct_row() != 0 {
            break;
        }
        row += 1;
    }
    0
}

/// A row of chunks.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_direct_row() -> u32 {
    let mut index = 0;
    while index < ROW_CHUNKS {
        if pintrace_direct_chunk() != 0 {
            return 1;
        }
        index += 1;
    }
    0
}

/// Looks through the chunk that comes next. Not 0 at the end of the range.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_direct_chunk() -> u32 {
    let (Some(state), Some(copy)) = (maps::state(), maps::chunk()) else {
        return 1;
    };
    let first = state.next & !(CHUNK_PAGES - 1);
    if first >= state.end {
        return 1;
    }
    let address = state.vmemmap + first * PAGE_STRUCT as u64;
    if first >> SECTION_ORDER != state.section {
        // Reading in place does not tell what is not there.
        // SAFETY: the helper writes less than the map value has; a fault is an error, not a crash.
        if unsafe { bpf_probe_read_kernel(copy.cast(), PAGE_STRUCT as u32, address as *const _) } != 0 {
            state.absent += CHUNK_PAGES;
            state.next = first + CHUNK_PAGES;
            return 0;
        }
        state.section = first >> SECTION_ORDER;
    }
    state.read += CHUNK_PAGES;
    let page = cast(address);
    let free = if blocks::is_free(at(page, SCAN_FACTS.page_mapcount())) {
        blocks::aligned_pages(first, at(page, SCAN_FACTS.page_private()))
    } else {
        0
    };
    if free != 0 {
        chunk::step(state, first, free);
        state.free += free;
        return 0;
    }
    let suspects = pintrace_direct_suspects(address);
    if suspects != 0 {
        // SAFETY: the helper writes as many bytes as the map value has.
        unsafe { bpf_probe_read_kernel(copy.cast(), CHUNK_BYTES as u32, address as *const _) };
        let mut index = 0;
        while index < CHUNK_PAGES as u32 {
            if suspects >> index & 1 == 1 {
                folio::pintrace_scan_folio(first, index);
            }
            index += 1;
        }
    }
    let pages = if at::<u64>(page, SCAN_FACTS.page_flags()) >> (SCAN_FACTS.pg_head() & 63) & 1 == 1 {
        let order = folio::order_of(at(page, SCAN_FACTS.folio_nr_pages()));
        blocks::aligned_pages(first, order)
    } else {
        0
    };
    if pages > CHUNK_PAGES {
        chunk::step(state, first, pages);
    } else {
        state.next = first + CHUNK_PAGES;
    }
    0
}

/// Pages of the chunk that may be pinned, a bit each.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_direct_suspects(address: u64) -> u64 {
    let bias = SCAN_FACTS.pin_bias();
    let head_bit = 1u64 << (SCAN_FACTS.pg_head() & 63);
    let mut suspects = 0u64;
    let mut index = 0;
    while index < CHUNK_PAGES {
        let page = cast(address + index * PAGE_STRUCT as u64);
        if at::<u32>(page, SCAN_FACTS.page_refcount()) >= bias
            || (at::<u64>(page, SCAN_FACTS.page_flags()) & head_bit != 0
                && at::<u32>(page, SCAN_FACTS.folio_pincount()) != 0)
        {
            suspects |= 1 << index;
        }
        index += 1;
    }
    suspects
}

/// The address as one of a `struct folio`, to be read in place. A call of a function that the kernel has and no
/// compiler knows: user space puts its number here.
#[inline(always)]
fn cast(address: u64) -> *const u8 {
    // SAFETY: the verifier checks the call; what comes back may be read and nothing else.
    let function: extern "C" fn(u64, u32) -> *const u8 =
        unsafe { core::mem::transmute(rdonly_cast::PLACEHOLDER as usize) };
    function(address, SCAN_FACTS.folio_type())
}

/// A field of a struct in place; 0 if it cannot be read.
#[inline(always)]
fn at<T: Copy>(page: *const u8, offset: u32) -> T {
    // SAFETY: the kernel reads for the program, and gives zeros where nothing can be read.
    unsafe { page.add(offset as usize).cast::<T>().read_volatile() }
}
