//! Programs that user space loads first, to find out whether the kernel accepts its functions as the hooks use them
//! ([`pintrace_common::kfuncs`]). The programs are never attached and never run.

use aya_ebpf::{EbpfContext, macros::raw_tracepoint, programs::RawTracePointContext};

use crate::{folio::Folio, kernel, preemption::Stay};

/// Loads words and half words of kernel memory, inline and in a global function, and also from the task's stack.
#[raw_tracepoint]
pub fn probe_rdonly_cast(ctx: RawTracePointContext) -> i32 {
    let address: u64 = ctx.arg(0);
    let read = kernel::u64_at(address) ^ u64::from(kernel::u32_at(address)) ^ Folio::of(address).0;
    i32::from(kernel::on_task_stack(ctx.as_ptr())) ^ (read & 1) as i32
}

/// Works on one CPU, and calls a global function there.
#[raw_tracepoint]
pub fn probe_preemption(ctx: RawTracePointContext) -> i32 {
    let address: u64 = ctx.arg(0);
    let _stay = Stay::begin();
    (Folio::of(address).0 & 1) as i32
}
