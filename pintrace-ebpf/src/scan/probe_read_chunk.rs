//! The scan by `bpf_probe_read_kernel`, which copies each chunk of struct pages.

use aya_ebpf::{
    helpers::generated::bpf_probe_read_kernel, macros::raw_tracepoint, programs::RawTracePointContext,
};
use pintrace_common::scan::{CHUNK_PAGES, PAGE_STRUCT, ScanState};

use crate::{
    chunk::{self, Reader},
    facts::SCAN_FACTS,
    folio,
    maps::CHUNK_BYTES,
};

/// Scans frames from the first argument to the second, or as far as one run goes. The third argument is the address of
/// the struct page of frame 0.
#[raw_tracepoint]
pub fn scan(ctx: RawTracePointContext) -> i32 {
    chunk::scan(ctx.arg(0), ctx.arg(1), ctx.arg(2), pintrace_scan_row);
    0
}

/// Scans a row of chunks. The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_scan_row() -> u32 {
    chunk::scan_row(pintrace_scan_chunk)
}

/// Scans the next chunk. The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_scan_chunk() -> u32 {
    chunk::scan_chunk::<Copied>()
}

/// A copy of the chunk.
#[derive(Clone, Copy)]
struct Copied(*mut u8);

impl Reader for Copied {
    #[inline(always)]
    fn open(_state: &mut ScanState, copy: *mut u8, _first: u64, address: u64) -> Option<Self> {
        // SAFETY: the helper writes as many bytes as the map value has. A fault is an error, not a crash.
        let failed =
            unsafe { bpf_probe_read_kernel(copy.cast(), CHUNK_BYTES as u32, address as *const _) } != 0;
        if failed { None } else { Some(Self(copy)) }
    }

    #[inline(always)]
    fn u32_at(self, offset: u32) -> u32 {
        folio::u32_at(self.0, offset as usize)
    }

    #[inline(always)]
    fn u64_at(self, offset: u32) -> u64 {
        folio::u64_at(self.0, offset as usize)
    }

    #[inline(always)]
    fn scan_folios(self, first: u64) {
        let bias = SCAN_FACTS.pin_bias();
        let head_bit = 1u64 << (SCAN_FACTS.pg_head() & 63);
        let mut index = 0;
        while index < CHUNK_PAGES as usize {
            // Masks are cheaper than the comparison in `u32_at`, and the loop runs once for each page.
            // SAFETY: the page is inside the chunk, and the masks keep the fields inside the page.
            let (flags, refcount) = unsafe {
                let page = self.0.add(index * PAGE_STRUCT);
                (
                    page.add(SCAN_FACTS.page_flags() as usize & 0x38)
                        .cast::<u64>()
                        .read_volatile(),
                    page.add(SCAN_FACTS.page_refcount() as usize & 0x3c)
                        .cast::<u32>()
                        .read_volatile(),
                )
            };
            if refcount >= bias || flags & head_bit != 0 {
                folio::pintrace_scan_folio(first, index as u32);
            }
            index += 1;
        }
    }
}
