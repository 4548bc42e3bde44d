//! The state witness's programs: none is attached to anything, user space runs them.
//!
//! `scan` reads all struct pages of a range and returns those that are pinned, `scan_direct` does so faster where it can; `tasks` tells which address spaces
//! ever pinned; `peek` reads a few bytes of kernel memory. All but
//! `scan_direct` do without everything that 5.10 lacks.
#![no_std]
#![no_main]

mod blocks;
mod chunk;
mod direct;
mod facts;
mod folio;
mod maps;
mod probe_read;
mod tasks;

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use pintrace_common::scan::{ROW_CHUNKS, ROWS};

/// Scans frames from the first argument to the second, or as far as one run goes; the third is where the struct
/// page of frame 0 lies.
#[raw_tracepoint]
pub fn scan(ctx: RawTracePointContext) -> i32 {
    if !maps::begin(ctx.arg(0), ctx.arg(1), ctx.arg(2)) {
        return 0;
    }
    let mut row = 0;
    while row < ROWS {
        if pintrace_scan_row() != 0 {
            break;
        }
        row += 1;
    }
    0
}

/// A row of chunks. A global function: the verifier follows it once. Not 0 at the end of the range.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_scan_row() -> u32 {
    let mut index = 0;
    while index < ROW_CHUNKS {
        if chunk::pintrace_scan_chunk() != 0 {
            return 1;
        }
        index += 1;
    }
    0
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
