//! Hooks that mark long-term calls while they are under way, and count what the kernel drops inside them.
//!
//! `__gup_longterm_locked` (mm/gup.c) is where all long-term calls but memfd_pin_folios pin, look, drop,
//! migrate and pin again; direct I/O hardly ever comes by. Where it cannot be hooked, the entry of
//! each pin function stands in, and its return takes the mark away.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

use crate::{acquire::gate_is_open, calls, release, trampoline::argument, turns::Turn};

/// Where the flags stand in __gup_longterm_locked(mm, start, nr_pages, pages, vmas or locked, gup_flags).
const FLAGS: u32 = 5;

#[inline(always)]
fn entered(turn: Turn, ctx: *mut c_void, flags: u32) -> i32 {
    if gate_is_open() && calls::is_longterm(argument(ctx, flags)) && calls::mark() {
        turn.made_good();
    }
    0
}

#[inline(always)]
fn left(turn: Turn, ctx: *mut c_void) -> i32 {
    if calls::is_longterm(argument(ctx, FLAGS)) && calls::unmark() {
        turn.made_good();
    }
    0
}

macro_rules! entries {
    ($($name:ident $again:ident $flags:expr;)+) => {
        $(
            #[fentry]
            pub fn $name(ctx: FEntryContext) -> i32 {
                entered(Turn::First, ctx.as_ptr(), $flags)
            }

            #[fentry]
            pub fn $again(ctx: FEntryContext) -> i32 {
                entered(Turn::Last, ctx.as_ptr(), $flags)
            }
        )+
    };
}

entries! {
    enter_longterm enter_longterm_again FLAGS;
    enter_pin_user_pages enter_pin_user_pages_again 2;
    enter_pin_user_pages_fast enter_pin_user_pages_fast_again 2;
    enter_pin_user_pages_fast_only enter_pin_user_pages_fast_only_again 2;
    enter_pin_user_pages_remote enter_pin_user_pages_remote_again 3;
    enter_pin_user_pages_locked enter_pin_user_pages_locked_again 2;
    enter_pin_user_pages_unlocked enter_pin_user_pages_unlocked_again 3;
}

/// Return of __gup_longterm_locked.
#[fexit]
pub fn leave_longterm(ctx: FExitContext) -> i32 {
    left(Turn::First, ctx.as_ptr())
}

/// Its second copy.
#[fexit]
pub fn leave_longterm_again(ctx: FExitContext) -> i32 {
    left(Turn::Last, ctx.as_ptr())
}

#[inline(always)]
fn entered_memfd(turn: Turn) -> i32 {
    if gate_is_open() && calls::mark() {
        turn.made_good();
    }
    0
}

/// Entry of memfd_pin_folios, which always pins long-term.
#[fentry]
pub fn enter_memfd_pin_folios(_ctx: FEntryContext) -> i32 {
    entered_memfd(Turn::First)
}

/// Its second copy.
#[fentry]
pub fn enter_memfd_pin_folios_again(_ctx: FEntryContext) -> i32 {
    entered_memfd(Turn::Last)
}

/// gup_put_folio(folio, refs, flags): what a pin call drops of its own pins.
#[inline(always)]
fn dropped(turn: Turn, ctx: *mut c_void) -> i32 {
    // No look at the gate: without a marked call, of which there is none while it is shut, nothing happens.
    if calls::inside(ctx)
        && let Some(_share) = turn.counts(ctx)
    {
        release::dropped_inside(argument(ctx, 0), argument(ctx, 1) & 0xffff_ffff);
    }
    0
}

/// Entry of gup_put_folio.
#[fentry]
pub fn gup_put_folio(ctx: FEntryContext) -> i32 {
    dropped(Turn::First, ctx.as_ptr())
}

/// Its second copy.
#[fentry]
pub fn gup_put_folio_again(ctx: FEntryContext) -> i32 {
    dropped(Turn::Last, ctx.as_ptr())
}

/// Entry of put_compound_head(page, refs, flags), which it was called before there were folios.
#[fentry]
pub fn put_compound_head(ctx: FEntryContext) -> i32 {
    dropped(Turn::First, ctx.as_ptr())
}

/// Its second copy.
#[fentry]
pub fn put_compound_head_again(ctx: FEntryContext) -> i32 {
    dropped(Turn::Last, ctx.as_ptr())
}
