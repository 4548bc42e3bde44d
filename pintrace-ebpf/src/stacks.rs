//! Kernel stacks of the calls that open an account or an extent.
//!
//! Unwinding takes longer than all other work of a hook. Where a thread may be preempted inside a hook ([`crate::backup`]),
//! that time would cost other threads their calls. There a program of its own unwinds, after the programs that count. If
//! the kernel skips it, a stack is missing and no page is.

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

use crate::map_ref::{Lookup, set};
use crate::{backup, count, facts::FACTS, maps};

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
        if FACTS.has_backups() == 0 {
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
    /// Returns the record of a call that has opened neither an account nor an extent.
    #[inline(always)]
    pub fn new(when: When) -> Self {
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
        if let Some(wanted) = maps::WANTED_STACKS.at(backup::slot_of(ctx, limits::WANTED_STACKS)) {
            // Two calls in one place at one moment would cost one its stack.
            set!(wanted.account = self.account);
            set!(wanted.extent = self.extent);
            set!(wanted.call = ctx as u64);
        }
    }
}

/// Takes the stack that the hooks on this very call have asked for.
#[inline(always)]
fn fetch(ctx: *mut c_void) -> i32 {
    let Some(wanted) = maps::WANTED_STACKS.at(backup::slot_of(ctx, limits::WANTED_STACKS)) else {
        return 0;
    };
    let WantedStack {
        call,
        account,
        extent,
    } = wanted.copy();
    if call != ctx as u64 {
        return 0;
    }
    set!(wanted.call = 0);
    let stack = take(ctx);
    if account != 0
        && let Some(account) = maps::ACCOUNTS.at(account as u32)
    {
        // This thread has opened it, and only this writes the field.
        set!(account.stack = stack);
    }
    if extent != 0
        && let Some(extent) = maps::EXTENTS.at((extent - 1) as u32)
    {
        // If it has closed and been opened anew meanwhile, that one waits for a stack as well.
        set!(extent.stack = stack);
    }
    0
}

/// Stores the kernel stack of this moment; negative if that failed, which is counted.
#[inline(always)]
pub fn take(ctx: *mut c_void) -> i64 {
    // The same helper serves every kind of program; the wrapper's name does not matter.
    if let Ok(id) = FExitContext::new(ctx).get_stackid(&maps::STACKS, 0) {
        id
    } else {
        count::loss(Loss::StackLost, 1);
        -1
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
