//! The registers with which the running task came into the kernel, found where they are saved: at the top of its stack
//! (`task_pt_regs`, arch/x86/include/asm/processor.h), since the helper came with 5.15.

use crate::{
    facts::{FACTS, MM_EVENT_FACTS},
    kernel,
};

/// Its `pt_regs`; none for a kernel thread.
#[inline(always)]
pub fn registers() -> Option<*const u8> {
    if kernel::current_mm() == 0 {
        return None;
    }
    let stack = kernel::read_u64(kernel::current_task() + u64::from(FACTS.task_stack()))?;
    let top = stack + u64::from(FACTS.thread_size());
    Some((top - MM_EVENT_FACTS.regs_bytes()) as *const u8)
}
