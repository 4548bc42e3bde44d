//! Pages are being unpinned: find who held them, and take them off.
//!
//! Runs on entry of the unpin functions, while the pins are still there, in any context: the
//! running task says nothing about whose pins these are.

use core::{ffi::c_void, marker::PhantomData};

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use pintrace_common::counters::Total;

use crate::{
    calls, count,
    folios::{CellTable, Chunks},
    log, maps,
    page::Folio,
    walk::{self, Pages, Visitor},
};

/// Takes `count` pages off the ledger.
#[inline(always)]
pub fn released(ctx: *mut c_void, pages: Pages, count: u64) {
    released_from::<Chunks>(ctx, pages, count);
}

/// As [`released`], with a folio table of choice: for the bench.
#[inline(always)]
pub fn released_from<T: CellTable>(ctx: *mut c_void, pages: Pages, count: u64) {
    let mut take = Take::<T>::new(ctx);
    walk::walk(pages, count, &mut take);
    take.settle();
}

/// Takes `pins` pins of one folio off the ledger.
#[inline(always)]
pub fn released_folio(ctx: *mut c_void, head: u64, pins: u64) {
    let mut take = Take::<Chunks>::new(ctx);
    if let Some(folio) = crate::page::folio_of(head) {
        take.run(&folio, pins as u32);
    } else {
        crate::acquire::unreadable();
    }
    take.settle();
}

/// Counts what a pin call drops again. The compiler inlines the exported unpin functions into their
/// callers in mm/gup.c (`migrate_longterm_unpinnable_folios`, `__gup_longterm_locked`), down to
/// `gup_put_folio`, which they call on every kernel measured.
#[inline(always)]
pub fn dropped_inside(head: u64, pins: u64) {
    match crate::page::folio_of(head) {
        Some(folio) if folio.pinned => count::total(Total::Internal, pins),
        Some(_) => count::total(Total::Unpinned, pins),
        None => crate::acquire::unreadable(),
    }
}

struct Take<T> {
    ctx: *mut c_void,
    inside: u64,
    tgid: u64,
    released: u64,
    table: PhantomData<T>,
}

impl<T> Take<T> {
    #[inline(always)]
    fn new(ctx: *mut c_void) -> Self {
        // Unknown to the verifier for the same reason as in `walk`.
        let zero = maps::zero();
        let inside = u64::from(calls::inside(ctx));
        let tgid = bpf_get_current_pid_tgid() >> 32;
        Self {
            ctx,
            inside,
            tgid,
            released: zero,
            table: PhantomData,
        }
    }

    #[inline(always)]
    fn settle(&self) {
        if self.released != 0 {
            count::total(Total::Released, self.released);
        }
        log::debug!(self.ctx, "unpinned {} pages", self.released);
    }
}

impl<T: CellTable> Visitor for Take<T> {
    #[inline(always)]
    fn run(&mut self, folio: &Folio, pins: u32) {
        if !folio.pinned {
            count::total(Total::Unpinned, u64::from(pins));
            return;
        }
        if self.inside != 0 {
            // The kernel's own: counted one level down, by `dropped_inside`.
            return;
        }
        let left = T::take(folio.head, pins, self.tgid as u32, folio.bytes());
        self.released += u64::from(pins) - left;
        if left != 0 {
            count::total(Total::OpeningReleased, left);
        }
    }
}
