//! Which system call the running task is in, read from where the registers are saved: at the top of its stack
//! (`task_pt_regs`, arch/x86/include/asm/processor.h), since the helper came with 5.15.

use crate::{facts, kernel, watch};

/// Its number as user space gave it; -1 for none.
#[inline(always)]
pub fn number() -> i64 {
    if kernel::current_mm() == 0 {
        return -1;
    }
    let Some(stack) = kernel::read_u64(kernel::current_task() + u64::from(facts::task_stack())) else {
        return -1;
    };
    let top = stack + u64::from(facts::thread_size());
    let regs = top - watch::facts::regs_bytes();
    kernel::read::<i64>(regs + watch::facts::regs_call()).unwrap_or(-1)
}
