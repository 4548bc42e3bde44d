//! Hooks that mark long-term calls in flight, and count the pins that the kernel drops inside such calls.
//!
//! All long-term calls but memfd_pin_folios pin, check, drop, migrate and pin again in `__gup_longterm_locked`
//! (mm/gup.c). Direct I/O rarely calls that function. Where `__gup_longterm_locked` cannot be hooked, the entry of each
//! pin function sets the mark, and the return of the pin function clears the mark.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

use crate::{
    backup::Role,
    compat::trampoline::{argument, integer},
    ledger::{longterm_scope, release, state::gate_is_open},
};

/// Index of the number of pages in __gup_longterm_locked(mm, start, nr_pages, pages, vmas or locked, gup_flags).
const PAGES: u32 = 2;
/// Index of the flags.
const FLAGS: u32 = 5;

#[inline(always)]
fn entered(role: Role, ctx: *mut c_void, pages: u32, flags: u32) -> i32 {
    if gate_is_open()
        && longterm_scope::is_longterm(argument(ctx, flags))
        && longterm_scope::enter_slow(ctx, argument(ctx, pages) & 0xffff_ffff)
    {
        role.recovered();
    }
    0
}

#[inline(always)]
fn left(role: Role, ctx: *mut c_void) -> i32 {
    if longterm_scope::is_longterm(argument(ctx, FLAGS)) && longterm_scope::leave_slow() {
        role.recovered();
    }
    0
}

macro_rules! entries {
    ($($name:ident $backup:ident $pages:expr, $flags:expr;)+) => {
        $(
            #[fentry]
            pub fn $name(ctx: FEntryContext) -> i32 {
                entered(Role::Primary, ctx.as_ptr(), $pages, $flags)
            }

            #[fentry]
            pub fn $backup(ctx: FEntryContext) -> i32 {
                entered(Role::LastBackup, ctx.as_ptr(), $pages, $flags)
            }
        )+
    };
}

entries! {
    enter_longterm enter_longterm_backup PAGES, FLAGS;
    enter_pin_user_pages enter_pin_user_pages_backup 1, 2;
    enter_pin_user_pages_fast enter_pin_user_pages_fast_backup 1, 2;
    enter_pin_user_pages_fast_only enter_pin_user_pages_fast_only_backup 1, 2;
    enter_pin_user_pages_remote enter_pin_user_pages_remote_backup 2, 3;
    enter_pin_user_pages_locked enter_pin_user_pages_locked_backup 1, 2;
    enter_pin_user_pages_unlocked enter_pin_user_pages_unlocked_backup 1, 3;
}

/// Takes the time on entry of the function (start, nr_pages, gup_flags, pages) in which pin_user_pages_fast does its work, once a
/// long-term call had no known beginning. Only pins are long-term (`is_valid_gup_args`, mm/gup.c). The calls of direct I/O leave
/// at once, but each costs the attachment: so the hook waits. No backup is needed: a skipped entry leaves the call's duration
/// unknown, and is counted so.
#[inline(always)]
fn time_fast_pins(ctx: *mut c_void) -> i32 {
    if longterm_scope::is_longterm(integer(ctx, 2)) && gate_is_open() {
        longterm_scope::begin(integer(ctx, 1) & 0xffff_ffff);
    }
    0
}

/// Runs on entry of gup_fast_fallback.
#[fentry]
pub fn time_gup_fast_fallback(ctx: FEntryContext) -> i32 {
    time_fast_pins(ctx.as_ptr())
}

/// Runs on entry of internal_get_user_pages_fast, the older name of gup_fast_fallback.
#[fentry]
pub fn time_internal_get_user_pages_fast(ctx: FEntryContext) -> i32 {
    time_fast_pins(ctx.as_ptr())
}

/// Runs on entry of io_pin_pages(address, bytes, npages), which pins the memory of one buffer by one call.
#[fentry]
pub fn time_io_pin_pages(ctx: FEntryContext) -> i32 {
    let ctx = ctx.as_ptr();
    if gate_is_open() {
        let (address, bytes) = (integer(ctx, 0), integer(ctx, 1));
        let end = address.wrapping_add(bytes).wrapping_add(4095) >> 12;
        longterm_scope::begin(end - (address >> 12));
    }
    0
}

/// Runs on return of __gup_longterm_locked.
#[fexit]
pub fn leave_longterm(ctx: FExitContext) -> i32 {
    left(Role::Primary, ctx.as_ptr())
}

/// Is the backup of [`leave_longterm`].
#[fexit]
pub fn leave_longterm_backup(ctx: FExitContext) -> i32 {
    left(Role::LastBackup, ctx.as_ptr())
}

/// Handles the entry of memfd_pin_folios(memfd, start, end, ...), where `end` is the offset of the last byte.
#[inline(always)]
fn entered_memfd(role: Role, ctx: *mut c_void) -> i32 {
    if !gate_is_open() {
        return 0;
    }
    let pages = (argument(ctx, 2) >> 12) + 1 - (argument(ctx, 1) >> 12);
    if longterm_scope::enter_slow(ctx, pages) {
        role.recovered();
    }
    0
}

/// Runs on entry of memfd_pin_folios, which always pins long-term.
#[fentry]
pub fn enter_memfd_pin_folios(ctx: FEntryContext) -> i32 {
    entered_memfd(Role::Primary, ctx.as_ptr())
}

/// Is the backup of [`enter_memfd_pin_folios`].
#[fentry]
pub fn enter_memfd_pin_folios_backup(ctx: FEntryContext) -> i32 {
    entered_memfd(Role::LastBackup, ctx.as_ptr())
}

/// Handles gup_put_folio(folio, refs, flags), by which a pin call drops its own pins.
#[inline(always)]
fn dropped(role: Role, ctx: *mut c_void) -> i32 {
    // No test of the gate is needed: while the gate is closed no call is marked, and without a marked call nothing
    // happens.
    if longterm_scope::inside(ctx)
        && let Some(_claim) = role.claim(ctx)
    {
        release::dropped_inside(argument(ctx, 0), argument(ctx, 1) & 0xffff_ffff);
    }
    0
}

/// Runs on entry of gup_put_folio.
#[fentry]
pub fn gup_put_folio(ctx: FEntryContext) -> i32 {
    dropped(Role::Primary, ctx.as_ptr())
}

/// Is the backup of [`gup_put_folio`].
#[fentry]
pub fn gup_put_folio_backup(ctx: FEntryContext) -> i32 {
    dropped(Role::LastBackup, ctx.as_ptr())
}

/// Runs on entry of put_compound_head(page, refs, flags), the older name of gup_put_folio in kernels without folios.
#[fentry]
pub fn put_compound_head(ctx: FEntryContext) -> i32 {
    dropped(Role::Primary, ctx.as_ptr())
}

/// Is the backup of [`put_compound_head`].
#[fentry]
pub fn put_compound_head_backup(ctx: FEntryContext) -> i32 {
    dropped(Role::LastBackup, ctx.as_ptr())
}
