//! The scan by `bpf_rdonly_cast` (since 6.2), which reads struct pages without a copy. The copy by
//! `bpf_probe_read_kernel` takes most of the time of a scan.

use aya_ebpf::{
    helpers::generated::bpf_probe_read_kernel, macros::raw_tracepoint, programs::RawTracePointContext,
};
use pintrace_common::{
    kfuncs::RDONLY_CAST,
    scan::{CHUNK_PAGES, PAGE_STRUCT, SECTION_ORDER, ScanState},
};

use crate::{
    chunk::{self, Reader},
    facts::SCAN_FACTS,
    folio,
    maps::CHUNK_BYTES,
};

/// Scans frames with the arguments of `scan`.
#[raw_tracepoint]
pub fn scan_rdonly_cast(ctx: RawTracePointContext) -> i32 {
    chunk::scan(ctx.arg(0), ctx.arg(1), ctx.arg(2), pintrace_rdonly_cast_row);
    0
}

/// Scans a row of chunks. The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_rdonly_cast_row() -> u32 {
    chunk::scan_row(pintrace_rdonly_cast_chunk)
}

/// Scans the next chunk. The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_rdonly_cast_chunk() -> u32 {
    chunk::scan_chunk::<InPlace>()
}

/// The chunk at its address in the kernel.
#[derive(Clone, Copy)]
struct InPlace {
    copy: *mut u8,
    address: u64,
    page: *const u8,
}

impl Reader for InPlace {
    /// A load returns zeros if there is no memory. So the helper copies the first page of each section once, and the
    /// copy fails if the section has no struct pages.
    #[inline(always)]
    fn open(state: &mut ScanState, copy: *mut u8, first: u64, address: u64) -> Option<Self> {
        if first >> SECTION_ORDER != state.section {
            // SAFETY: the helper writes less than the map value has. A fault is an error, not a crash.
            if unsafe { bpf_probe_read_kernel(copy.cast(), PAGE_STRUCT as u32, address as *const _) } != 0 {
                return None;
            }
            state.section = first >> SECTION_ORDER;
        }
        let page = cast(address);
        Some(Self { copy, address, page })
    }

    #[inline(always)]
    fn u32_at(self, offset: u32) -> u32 {
        at(self.page, offset)
    }

    #[inline(always)]
    fn u64_at(self, offset: u32) -> u64 {
        at(self.page, offset)
    }

    #[inline(always)]
    fn scan_folios(self, first: u64) {
        let candidates = pintrace_rdonly_cast_candidates(self.address);
        if candidates == 0 {
            return;
        }
        // SAFETY: the helper writes as many bytes as the map value has. A fault is an error, not a crash.
        unsafe { bpf_probe_read_kernel(self.copy.cast(), CHUNK_BYTES as u32, self.address as *const _) };
        let mut index = 0;
        while index < CHUNK_PAGES as u32 {
            if candidates >> index & 1 == 1 {
                folio::pintrace_scan_folio(first, index);
            }
            index += 1;
        }
    }
}

/// Returns the pages of the chunk that may be pinned, one bit for each page. The function is global, so that the
/// verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_rdonly_cast_candidates(address: u64) -> u64 {
    let bias = SCAN_FACTS.pin_bias();
    let head_bit = 1u64 << (SCAN_FACTS.pg_head() & 63);
    let mut candidates = 0u64;
    let mut index = 0;
    while index < CHUNK_PAGES {
        let page = cast(address + index * PAGE_STRUCT as u64);
        if at::<u32>(page, SCAN_FACTS.page_refcount()) >= bias
            || (at::<u64>(page, SCAN_FACTS.page_flags()) & head_bit != 0
                && at::<u32>(page, SCAN_FACTS.folio_pincount()) != 0)
        {
            candidates |= 1 << index;
        }
        index += 1;
    }
    candidates
}

/// Returns the address as a pointer to a `struct folio` from which the program may load.
///
/// No compiler knows `bpf_rdonly_cast`, a function of the kernel. User space replaces the placeholder by the number of
/// the function.
#[inline(always)]
fn cast(address: u64) -> *const u8 {
    // SAFETY: the verifier checks the call and refuses a write through the result.
    let function: extern "C" fn(u64, u32) -> *const u8 =
        unsafe { core::mem::transmute(RDONLY_CAST.placeholder as usize) };
    function(address, SCAN_FACTS.folio_type())
}

/// Returns a field of a struct; 0 if the field cannot be read.
#[inline(always)]
fn at<T: Copy>(page: *const u8, offset: u32) -> T {
    // SAFETY: the kernel catches a fault of the load, and the load returns zeros.
    unsafe { page.add(offset as usize).cast::<T>().read_volatile() }
}
