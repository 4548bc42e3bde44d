//! The state witness's programs: none is attached to anything, user space runs them.
//!
//! `scan` reads all struct pages of a range and returns those that are pinned; `tasks` tells which address spaces
//! ever pinned; `peek` reads a few bytes of kernel memory. They do without everything that 5.10 lacks.
#![no_std]
#![no_main]

mod chunk;
mod facts;
mod folio;
mod maps;
mod peek;
mod tasks;

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use pintrace_common::scan::{ROW_CHUNKS, ROWS};

/// Scans frames from the first argument to the second, or as far as one run goes; the third is where the struct
/// page of frame 0 lies.
#[raw_tracepoint]
pub fn scan(ctx: RawTracePointContext) -> i32 {
    let Some(state) = maps::state() else {
        return 0;
    };
    state.next = ctx.arg(0);
    state.end = ctx.arg(1);
    state.vmemmap = ctx.arg(2);
    state.found = 0;
    state.read = 0;
    state.stepped = 0;
    state.free = 0;
    state.absent = 0;
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
    let mut turn = 0;
    while turn < ROW_CHUNKS {
        if chunk::pintrace_scan_chunk() != 0 {
            return 1;
        }
        turn += 1;
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
