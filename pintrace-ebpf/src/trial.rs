//! What user space has the kernel load first, to find out whether it takes what the hooks do in the same way. Attached to
//! nothing and never run.

use aya_ebpf::{EbpfContext, macros::raw_tracepoint, programs::RawTracePointContext};

use crate::{kernel, page::Folio};

/// Reads memory in place: words and halves of them, by itself and in a function of its own, and also on the stack.
#[raw_tracepoint]
pub fn reads_in_place(ctx: RawTracePointContext) -> i32 {
    let address: u64 = ctx.arg(0);
    let read = kernel::u64_at(address) ^ u64::from(kernel::u32_at(address)) ^ Folio::of(address).0;
    i32::from(kernel::on_task_stack(ctx.as_ptr())) ^ (read & 1) as i32
}
