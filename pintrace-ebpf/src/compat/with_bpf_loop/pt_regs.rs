//! The registers with which the running task came into the kernel, by the helper that kernels have since 5.15.

use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_task_pt_regs};

use crate::kernel;

/// Its `pt_regs`; none for a kernel thread.
#[inline(always)]
pub fn registers() -> Option<*const u8> {
    if kernel::current_mm() == 0 {
        return None;
    }
    // SAFETY: the helpers take and give what the kernel knows to be valid.
    Some(unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) } as *const u8)
}
