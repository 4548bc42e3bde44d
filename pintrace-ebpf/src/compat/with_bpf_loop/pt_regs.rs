//! The registers with which the running task entered the kernel, by the helper that kernels have since 5.15.

use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_task_pt_regs};

use crate::kernel;

/// Returns the `pt_regs` of the running task; `None` for a kernel thread.
#[inline(always)]
pub fn registers() -> Option<*const u8> {
    if kernel::current_mm() == 0 {
        return None;
    }
    // SAFETY: the helpers take and return pointers that the kernel knows to be valid.
    Some(unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) } as *const u8)
}
