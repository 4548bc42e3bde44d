//! Hooks on entry of the exported unpin functions (mm/gup.c), which together see every release exactly once.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, macros::fentry, programs::FEntryContext};

use crate::{
    backup::Role,
    compat::trampoline::{address, argument, integer},
    ledger::{release, state::gate_is_open, walk::Pages},
    test_pins,
};

#[inline(always)]
fn one(role: Role, ctx: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_on_cpu(ctx) {
        if gate_is_open() {
            release::released_folio(ctx, 1, address(ctx, 0), true, 1);
        } else {
            test_pins::pintrace_test_released(address(ctx, 0), 1);
        }
    }
    0
}

#[inline(always)]
fn one_of_folio(role: Role, ctx: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_on_cpu(ctx) {
        if gate_is_open() {
            release::released_folio(ctx, 1, address(ctx, 0), false, 1);
        } else {
            test_pins::pintrace_test_released(address(ctx, 0), 1);
        }
    }
    0
}

#[inline(always)]
fn several_of_one(role: Role, ctx: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_on_cpu(ctx) {
        if gate_is_open() {
            release::released_folio(ctx, 2, address(ctx, 0), false, integer(ctx, 1));
        } else {
            test_pins::pintrace_test_released(address(ctx, 0), integer(ctx, 1));
        }
    }
    0
}

#[inline(always)]
fn array(role: Role, ctx: *mut c_void) -> i32 {
    array_of(role, ctx, 2)
}

/// `parameters` is the number of parameters of the unpin function.
#[inline(always)]
fn array_of(role: Role, ctx: *mut c_void, parameters: u32) -> i32 {
    if let Some(_claim) = role.claim_on_cpu(ctx) {
        if gate_is_open() {
            release::released(ctx, parameters, Pages::Array(argument(ctx, 0)), integer(ctx, 1));
        } else {
            test_pins::released_array(argument(ctx, 0), integer(ctx, 1));
        }
    }
    0
}

/// With `make_dirty` unset, the function calls unpin_user_pages, whose hook counts the release.
#[inline(always)]
fn dirty_array(role: Role, ctx: *mut c_void) -> i32 {
    if integer(ctx, 2) as u8 == 0 {
        return 0;
    }
    array_of(role, ctx, 3)
}

#[inline(always)]
fn range(role: Role, ctx: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_on_cpu(ctx) {
        if gate_is_open() {
            release::released(ctx, 3, Pages::Range(address(ctx, 0)), integer(ctx, 1));
        } else {
            test_pins::pintrace_test_released(address(ctx, 0), integer(ctx, 1));
        }
    }
    0
}

macro_rules! unpin_entries {
    ($($(#[$doc:meta])* $name:ident $backup:ident $body:ident;)+) => {
        $(
            $(#[$doc])*
            #[fentry]
            pub fn $name(ctx: FEntryContext) -> i32 {
                $body(Role::Primary, ctx.as_ptr())
            }

            #[fentry]
            pub fn $backup(ctx: FEntryContext) -> i32 {
                $body(Role::LastBackup, ctx.as_ptr())
            }
        )+
    };
}

unpin_entries! {
    /// Runs on entry of unpin_user_page(page).
    unpin_user_page unpin_user_page_backup one;
    /// Runs on entry of unpin_user_pages(pages, npages).
    unpin_user_pages unpin_user_pages_backup array;
    /// Runs on entry of unpin_user_pages_dirty_lock(pages, npages, make_dirty).
    unpin_user_pages_dirty_lock unpin_user_pages_dirty_lock_backup dirty_array;
    /// Runs on entry of unpin_user_page_range_dirty_lock(page, npages, make_dirty), for contiguous frames.
    unpin_user_page_range_dirty_lock unpin_user_page_range_dirty_lock_backup range;
    /// Runs on entry of unpin_folio(folio).
    unpin_folio unpin_folio_backup one_of_folio;
    /// Runs on entry of unpin_folios(folios, nfolios).
    unpin_folios unpin_folios_backup array;
    /// Runs on entry of unpin_user_folio(folio, npages).
    unpin_user_folio unpin_user_folio_backup several_of_one;
}
