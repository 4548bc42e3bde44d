//! Hooks on entry of the exported unpin functions (mm/gup.c), which together see every release
//! exactly once; and on gup_put_folio, for what a pin call drops of its own.

use aya_ebpf::{EbpfContext, macros::fentry, programs::FEntryContext};

use crate::{acquire::gate_is_open, calls, kernel::argument, release, walk::Pages};

/// unpin_user_page(page).
#[fentry]
pub fn unpin_user_page(ctx: FEntryContext) -> i32 {
    if gate_is_open() {
        release::released_folio(ctx.as_ptr(), argument(ctx.as_ptr(), 0), 1);
    }
    0
}

/// unpin_user_pages(pages, npages).
#[fentry]
pub fn unpin_user_pages(ctx: FEntryContext) -> i32 {
    array(&ctx)
}

/// unpin_user_pages_dirty_lock(pages, npages, make_dirty): calls unpin_user_pages unless make_dirty.
#[fentry]
pub fn unpin_user_pages_dirty_lock(ctx: FEntryContext) -> i32 {
    if argument(ctx.as_ptr(), 2) & 0xff == 0 {
        0
    } else {
        array(&ctx)
    }
}

/// unpin_user_page_range_dirty_lock(page, npages, make_dirty): contiguous frames.
#[fentry]
pub fn unpin_user_page_range_dirty_lock(ctx: FEntryContext) -> i32 {
    if gate_is_open() {
        let raw = ctx.as_ptr();
        release::released(raw, Pages::Range(argument(raw, 0)), argument(raw, 1));
    }
    0
}

/// unpin_folio(folio).
#[fentry]
pub fn unpin_folio(ctx: FEntryContext) -> i32 {
    if gate_is_open() {
        release::released_folio(ctx.as_ptr(), argument(ctx.as_ptr(), 0), 1);
    }
    0
}

/// unpin_folios(folios, nfolios).
#[fentry]
pub fn unpin_folios(ctx: FEntryContext) -> i32 {
    array(&ctx)
}

/// unpin_user_folio(folio, npages).
#[fentry]
pub fn unpin_user_folio(ctx: FEntryContext) -> i32 {
    if gate_is_open() {
        let raw = ctx.as_ptr();
        release::released_folio(raw, argument(raw, 0), argument(raw, 1));
    }
    0
}

/// gup_put_folio(folio, refs, flags): what a pin call drops of its own pins.
#[fentry]
pub fn gup_put_folio(ctx: FEntryContext) -> i32 {
    // No look at the gate: without a marked call, of which there is none while it is shut, nothing happens.
    let raw = ctx.as_ptr();
    if calls::inside(raw) {
        release::dropped_inside(argument(raw, 0), argument(raw, 1) & 0xffff_ffff);
    }
    0
}

#[inline(always)]
fn array(ctx: &FEntryContext) -> i32 {
    if gate_is_open() {
        let raw = ctx.as_ptr();
        release::released(raw, Pages::Array(argument(raw, 0)), argument(raw, 1));
    }
    0
}
