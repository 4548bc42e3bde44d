//! Hooks on entry of the exported unpin functions (mm/gup.c), which together see every release
//! exactly once.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, macros::fentry, programs::FEntryContext};

use crate::{acquire::gate_is_open, release, trampoline::argument, turns::Turn, walk::Pages};

#[inline(always)]
fn one(turn: Turn, ctx: *mut c_void) -> i32 {
    if let Some(_share) = turn.counts(ctx)
        && gate_is_open()
    {
        release::released_folio(ctx, argument(ctx, 0), 1);
    }
    0
}

#[inline(always)]
fn several_of_one(turn: Turn, ctx: *mut c_void) -> i32 {
    if let Some(_share) = turn.counts(ctx)
        && gate_is_open()
    {
        release::released_folio(ctx, argument(ctx, 0), argument(ctx, 1));
    }
    0
}

#[inline(always)]
fn array(turn: Turn, ctx: *mut c_void) -> i32 {
    if let Some(_share) = turn.counts(ctx)
        && gate_is_open()
    {
        release::released(ctx, Pages::Array(argument(ctx, 0)), argument(ctx, 1));
    }
    0
}

/// With `make_dirty` unset the function calls unpin_user_pages.
#[inline(always)]
fn dirty_array(turn: Turn, ctx: *mut c_void) -> i32 {
    if argument(ctx, 2) & 0xff == 0 {
        return 0;
    }
    array(turn, ctx)
}

#[inline(always)]
fn range(turn: Turn, ctx: *mut c_void) -> i32 {
    if let Some(_share) = turn.counts(ctx)
        && gate_is_open()
    {
        release::released(ctx, Pages::Range(argument(ctx, 0)), argument(ctx, 1));
    }
    0
}

macro_rules! unpin_entries {
    ($($(#[$doc:meta])* $name:ident $again:ident $body:ident;)+) => {
        $(
            $(#[$doc])*
            #[fentry]
            pub fn $name(ctx: FEntryContext) -> i32 {
                $body(Turn::First, ctx.as_ptr())
            }

            #[fentry]
            pub fn $again(ctx: FEntryContext) -> i32 {
                $body(Turn::Last, ctx.as_ptr())
            }
        )+
    };
}

unpin_entries! {
    /// unpin_user_page(page).
    unpin_user_page unpin_user_page_again one;
    /// unpin_user_pages(pages, npages).
    unpin_user_pages unpin_user_pages_again array;
    /// unpin_user_pages_dirty_lock(pages, npages, make_dirty).
    unpin_user_pages_dirty_lock unpin_user_pages_dirty_lock_again dirty_array;
    /// unpin_user_page_range_dirty_lock(page, npages, make_dirty): contiguous frames.
    unpin_user_page_range_dirty_lock unpin_user_page_range_dirty_lock_again range;
    /// unpin_folio(folio).
    unpin_folio unpin_folio_again one;
    /// unpin_folios(folios, nfolios).
    unpin_folios unpin_folios_again array;
    /// unpin_user_folio(folio, npages).
    unpin_user_folio unpin_user_folio_again several_of_one;
}
