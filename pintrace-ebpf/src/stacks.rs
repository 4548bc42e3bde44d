//! Kernel stacks of what a pin call opens.
//!
//! To unwind takes longer than everything else that a hook does. Where a thread may be taken off its CPU
//! inside a hook ([`crate::turns`]) that time would cost others their calls; so there a program of
//! its own unwinds, after those that count. If the kernel skips it, a stack is missing and no page.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::fexit,
    programs::{FExitContext, tracing::StackIdContext},
};
use pintrace_common::{
    counters::Loss,
    ledger::{STACK_LATER, WantedStack},
    limits,
};

use crate::{count, facts, maps, turns};

/// When a hook takes the stack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// When [`fetch`] runs, for whoever [`Opened::announce`] names.
    Later,
}

impl When {
    /// What suits the trampolines of this kernel.
    #[inline(always)]
    pub fn in_trampoline() -> Self {
        if facts::two_turns() == 0 {
            Self::Now
        } else {
            Self::Later
        }
    }
}

/// What a call opens, and its stack once it has been taken: both have the same.
pub struct Opened {
    when: When,
    stack: i64,
    account: u64,
    extent: u64,
}

/// No stack has been taken so far.
const NONE: i64 = i64::MIN;

impl Opened {
    /// Nothing yet.
    #[inline(always)]
    pub fn nothing(when: When) -> Self {
        Self {
            when,
            stack: NONE,
            account: 0,
            extent: 0,
        }
    }

    /// The stack for an account or extent that is being opened.
    #[inline(always)]
    pub fn stack(&mut self, ctx: *mut c_void) -> i64 {
        if self.when == When::Later {
            return STACK_LATER;
        }
        if self.stack == NONE {
            self.stack = take(ctx);
        }
        self.stack
    }

    /// An account was opened.
    #[inline(always)]
    pub fn account(&mut self, id: u32) {
        self.account = u64::from(id);
    }

    /// An extent was opened.
    #[inline(always)]
    pub fn extent(&mut self, index: u32) {
        self.extent = u64::from(index) + 1;
    }

    /// Tells [`fetch`] whose stack this call's is.
    #[inline(always)]
    pub fn announce(&self, ctx: *mut c_void) {
        if self.when == When::Now || self.account | self.extent == 0 {
            return;
        }
        if let Some(wanted) = maps::WANTED_STACKS.get_ptr_mut(turns::place_of(ctx, limits::WANTED_STACKS)) {
            // SAFETY: a live map value. Two calls in one place at one moment would cost one its stack.
            unsafe {
                (*wanted).account = self.account;
                (*wanted).extent = self.extent;
                (*wanted).call = ctx as u64;
            }
        }
    }
}

/// Takes the stack that the hooks on this very call have asked for.
#[inline(always)]
fn fetch(ctx: *mut c_void) -> i32 {
    let Some(wanted) = maps::WANTED_STACKS.get_ptr_mut(turns::place_of(ctx, limits::WANTED_STACKS)) else {
        return 0;
    };
    // SAFETY: a live map value.
    let WantedStack {
        call,
        account,
        extent,
    } = unsafe { *wanted };
    if call != ctx as u64 {
        return 0;
    }
    // SAFETY: as above.
    unsafe { (*wanted).call = 0 };
    let stack = take(ctx);
    if account != 0
        && let Some(account) = maps::ACCOUNTS.get_ptr_mut(account as u32)
    {
        // SAFETY: a live map value; this thread has opened it, and only this writes the field.
        unsafe { (*account).stack = stack };
    }
    if extent != 0
        && let Some(extent) = maps::EXTENTS.get_ptr_mut((extent - 1) as u32)
    {
        // SAFETY: as above. If it has closed and been opened anew meanwhile, that one waits for a stack as well.
        unsafe { (*extent).stack = stack };
    }
    0
}

/// Stores the kernel stack of this moment; negative if that failed, which is counted.
#[inline(always)]
pub fn take(ctx: *mut c_void) -> i64 {
    // The same helper serves every kind of program; the wrapper's name does not matter.
    match FExitContext::new(ctx).get_stackid(&maps::STACKS, 0) {
        Ok(id) => id,
        Err(_) => {
            count::loss(Loss::StackLost, 1);
            -1
        }
    }
}

macro_rules! stack_programs {
    ($($name:ident)+) => {
        $(
            #[fexit]
            pub fn $name(ctx: FExitContext) -> i32 {
                fetch(ctx.as_ptr())
            }
        )+
    };
}

stack_programs! {
    stack_pin_user_pages
    stack_pin_user_pages_fast
    stack_pin_user_pages_fast_only
    stack_pin_user_pages_remote
    stack_pin_user_pages_locked
    stack_pin_user_pages_unlocked
    stack_memfd_pin_folios
    stack_folio_add_pin
    stack_folio_add_pins
}
