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
    compat::trampoline::argument,
    ledger::{longterm_scope, release, state::gate_is_open},
};

/// Index of the flags in __gup_longterm_locked(mm, start, nr_pages, pages, vmas or locked, gup_flags).
const FLAGS: u32 = 5;

#[inline(always)]
fn entered(role: Role, ctx: *mut c_void, flags: u32) -> i32 {
    if gate_is_open() && longterm_scope::is_longterm(argument(ctx, flags)) && longterm_scope::mark() {
        role.recovered();
    }
    0
}

#[inline(always)]
fn left(role: Role, ctx: *mut c_void) -> i32 {
    if longterm_scope::is_longterm(argument(ctx, FLAGS)) && longterm_scope::unmark() {
        role.recovered();
    }
    0
}

macro_rules! entries {
    ($($name:ident $backup:ident $flags:expr;)+) => {
        $(
            #[fentry]
            pub fn $name(ctx: FEntryContext) -> i32 {
                entered(Role::Primary, ctx.as_ptr(), $flags)
            }

            #[fentry]
            pub fn $backup(ctx: FEntryContext) -> i32 {
                entered(Role::LastBackup, ctx.as_ptr(), $flags)
            }
        )+
    };
}

entries! {
    enter_longterm enter_longterm_backup FLAGS;
    enter_pin_user_pages enter_pin_user_pages_backup 2;
    enter_pin_user_pages_fast enter_pin_user_pages_fast_backup 2;
    enter_pin_user_pages_fast_only enter_pin_user_pages_fast_only_backup 2;
    enter_pin_user_pages_remote enter_pin_user_pages_remote_backup 3;
    enter_pin_user_pages_locked enter_pin_user_pages_locked_backup 2;
    enter_pin_user_pages_unlocked enter_pin_user_pages_unlocked_backup 3;
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

#[inline(always)]
fn entered_memfd(role: Role) -> i32 {
    if gate_is_open() && longterm_scope::mark() {
        role.recovered();
    }
    0
}

/// Runs on entry of memfd_pin_folios, which always pins long-term.
#[fentry]
pub fn enter_memfd_pin_folios(_ctx: FEntryContext) -> i32 {
    entered_memfd(Role::Primary)
}

/// Is the backup of [`enter_memfd_pin_folios`].
#[fentry]
pub fn enter_memfd_pin_folios_backup(_ctx: FEntryContext) -> i32 {
    entered_memfd(Role::LastBackup)
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
