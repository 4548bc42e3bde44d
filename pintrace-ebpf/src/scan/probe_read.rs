//! Reads kernel memory, so that user space can follow pointers: a few bytes, or a block.

use aya_ebpf::{
    helpers::{bpf_get_current_task, generated::bpf_probe_read_kernel},
    macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use pintrace_common::scan::{BLOCK_WORDS, PROBE_READ_BYTES};

use crate::maps;

/// Reads the memory at the address in the first argument.
#[raw_tracepoint]
pub fn probe_read(ctx: RawTracePointContext) -> i32 {
    let Some(result) = maps::PROBE_READ.get_ptr_mut(0) else {
        return 0;
    };
    let address: u64 = ctx.arg(0);
    // SAFETY: a live map value that no other run uses at the same time. The helper writes as many bytes as the words
    // have, and a fault is an error, not a crash.
    unsafe {
        (*result).task = bpf_get_current_task();
        let words = (&raw mut (*result).words).cast();
        let failed = bpf_probe_read_kernel(words, PROBE_READ_BYTES as u32, address as *const _);
        (*result).readable = u64::from(failed == 0);
    }
    0
}

/// Reads as many words as the second argument says, at the address in the first argument.
#[raw_tracepoint]
pub fn read_block(ctx: RawTracePointContext) -> i32 {
    let Some(result) = maps::READ_BLOCK.get_ptr_mut(0) else {
        return 0;
    };
    let address: u64 = ctx.arg(0);
    let words: u64 = ctx.arg(1);
    if words == 0 || words > BLOCK_WORDS as u64 {
        return 0;
    }
    // SAFETY: a live map value that no other run uses at the same time. The helper writes at most the words of the
    // value, and a fault is an error, not a crash.
    unsafe {
        let failed = bpf_probe_read_kernel(
            (&raw mut (*result).words).cast(),
            (words * 8) as u32,
            address as *const _,
        );
        (*result).readable = u64::from(failed == 0);
    }
    0
}
