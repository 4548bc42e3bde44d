//! Keeps the thread of a counting program on its CPU while the program works.
//!
//! The kernel skips a program that is active on the CPU already ([`crate::backup`]), so a thread that is switched away
//! inside a program makes other threads lose calls. With preemption off the thread stays. But the scheduler's tick comes
//! meanwhile, and the enabling of preemption would switch the thread away at once, with the program still active. So
//! preemption is enabled with interrupts off, where the kernel does not switch, and the kernel switches at the next
//! occasion: when `migrate_enable` runs, after the program has ended (`__bpf_prog_exit_recur`, kernel/bpf/trampoline.c).

use core::mem::MaybeUninit;

use pintrace_common::kfuncs::{Kfunc, LOCAL_IRQ_RESTORE, LOCAL_IRQ_SAVE, PREEMPT_DISABLE, PREEMPT_ENABLE};

use crate::facts::FACTS;

#[inline(always)]
fn call(function: Kfunc) {
    // SAFETY: the verifier checks the call.
    unsafe { core::mem::transmute::<usize, extern "C" fn()>(function.placeholder as usize)() }
}

#[inline(always)]
fn call_with(function: Kfunc, flags: &mut MaybeUninit<u64>) {
    // SAFETY: as above.
    unsafe {
        core::mem::transmute::<usize, extern "C" fn(*mut u64)>(function.placeholder as usize)(
            flags.as_mut_ptr(),
        );
    }
}

/// Keeps the thread on its CPU until the drop, if the kernel can do that ([`FACTS`]).
pub struct Stay;

impl Stay {
    /// Begins.
    #[inline(always)]
    pub fn begin() -> Self {
        if FACTS.stays_on_cpu() != 0 {
            call(PREEMPT_DISABLE);
        }
        Self
    }
}

impl Drop for Stay {
    #[inline(always)]
    fn drop(&mut self) {
        if FACTS.stays_on_cpu() != 0 {
            let mut flags = MaybeUninit::uninit();
            call_with(LOCAL_IRQ_SAVE, &mut flags);
            call(PREEMPT_ENABLE);
            call_with(LOCAL_IRQ_RESTORE, &mut flags);
        }
    }
}
