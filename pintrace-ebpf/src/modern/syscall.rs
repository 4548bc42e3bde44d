//! Which system call the running task is in, by the helper that kernels have since 5.15.

use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_task_pt_regs};

use crate::{kernel, watch::facts};

/// Its number as user space gave it; -1 for none.
#[inline(always)]
pub fn number() -> i64 {
    if kernel::current_mm() == 0 {
        return -1;
    }
    // SAFETY: the helpers take and give what the kernel knows to be valid.
    let regs = unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) } as *const u8;
    kernel::read_at::<i64>(regs.wrapping_add(facts::regs_call() as usize)).unwrap_or(-1)
}
