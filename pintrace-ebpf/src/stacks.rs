//! Kernel stacks of the calls that open an account or an extent.
//!
//! Unwinding takes longer than all other work of a hook. If a thread may be preempted inside a hook
//! ([`crate::backup`]), the kernel would skip the hook for more calls of other threads. So a separate program unwinds,
//! after the programs that count. If the kernel skips the separate program, a stack is missing and no page is.

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

use crate::map_ref::{Lookup, get, set};
use crate::{backup, compat::loops::AREAS, count, facts::FACTS, ledger::changed_extents, maps};

/// The time at which a hook takes the stack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// When [`fetch`] runs, for the account and extent that [`Opened::announce`] names.
    Later,
}

impl When {
    /// Returns the time that suits the trampolines of this kernel.
    #[inline(always)]
    pub fn in_trampoline() -> Self {
        if FACTS.has_backups() == 0 {
            Self::Now
        } else {
            Self::Later
        }
    }
}

/// The account and extent that a call opens, and their common stack once the stack has been taken.
pub struct Opened {
    when: When,
    stack: i64,
    account: u64,
    extent: u64,
}

/// No stack has been taken yet.
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

    /// Returns the stack for an account or extent that is being opened.
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

    /// Records that an account was opened.
    #[inline(always)]
    pub fn account(&mut self, id: u32) {
        self.account = u64::from(id);
    }

    /// Records that an extent was opened.
    #[inline(always)]
    pub fn extent(&mut self, index: u32) {
        self.extent = u64::from(index) + 1;
    }

    /// Asks [`fetch`] for the stack of the call.
    #[inline(always)]
    pub fn announce(&self, ctx: *mut c_void) {
        if self.when == When::Now || self.account | self.extent == 0 {
            return;
        }
        if let Some(wanted) = maps::WANTED_STACKS.at(backup::slot_of(ctx, limits::WANTED_STACKS)) {
            // If two calls use one slot at the same time, one call loses its stack.
            set!(wanted.account = self.account);
            set!(wanted.extent = self.extent);
            set!(wanted.call = ctx as u64);
        }
    }
}

/// Takes the stack that the hooks on the same call have asked for.
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
        // The thread has opened the account, and only `fetch` writes the field.
        set!(account.stack = stack);
    }
    set_stack_of_areas(extent, stack);
    0
}

/// Sets the stack of an extent and of the further areas of its call. `number` is the index plus one; 0 for none.
#[inline(always)]
fn set_stack_of_areas(mut number: u64, stack: i64) {
    let mut area = 0;
    while area < AREAS && number != 0 {
        let Some(extent) = maps::EXTENTS.at((number - 1) as u32) else {
            return;
        };
        // A new extent with the same index waits for a stack as well.
        set!(extent.stack = stack);
        changed_extents::mark((number - 1) as u32);
        number = u64::from(get!(extent.next_area));
        area += 1;
    }
}

/// Stores the present kernel stack and returns its id: the index in `STACKS`, or [`limits::STACKS`] plus the index in
/// `MORE_STACKS`. Returns a negative number, and counts a loss, on failure.
#[inline(always)]
pub fn take(ctx: *mut c_void) -> i64 {
    // The helper is the same for every kind of program, so the wrapper's type does not matter.
    let context = FExitContext::new(ctx);
    if let Ok(id) = context.get_stackid(&maps::STACKS, 0) {
        id
    } else if let Ok(id) = context.get_stackid(&maps::MORE_STACKS, 0) {
        id + i64::from(limits::STACKS)
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
