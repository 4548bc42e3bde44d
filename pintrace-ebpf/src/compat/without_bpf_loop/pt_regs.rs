//! The registers with which the running task entered the kernel, read at the top of the task's stack (`task_pt_regs`,
//! arch/x86/include/asm/processor.h), because kernels before 5.15 have no helper.

use crate::{
    facts::{FACTS, MM_EVENT_FACTS},
    kernel,
};

/// Returns the `pt_regs` of the running task; `None` for a kernel thread.
#[inline(always)]
pub fn registers() -> Option<*const u8> {
    if kernel::current_mm() == 0 {
        return None;
    }
    let stack = kernel::read_u64(kernel::current_task() + u64::from(FACTS.task_stack()))?;
    let top = stack + u64::from(FACTS.thread_size());
    Some((top - MM_EVENT_FACTS.regs_bytes()) as *const u8)
}
