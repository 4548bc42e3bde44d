//! Walking the pages of one call, folio by folio.
//!
//! Neighbouring entries of the same folio make one run, so that a large folio costs one change of
//! the table and not one a page.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use pintrace_common::counters::Loss;

use crate::{
    count, facts, kernel, maps,
    page::{self, Folio},
};

/// bpf_loop refuses more turns than this (`BPF_MAX_LOOPS`, kernel/bpf/bpf_iter.c).
const MAX_PAGES: u64 = 8 << 20;

/// What the pages are given as.
#[derive(Clone, Copy)]
pub enum Pages {
    /// Address of an array of pointers to struct page or struct folio.
    Array(u64),
    /// Address of the first of contiguous struct pages.
    Range(u64),
}

/// What is done with each run of pages in one folio.
pub trait Visitor {
    /// `pins` neighbouring entries lie in `folio`.
    fn run(&mut self, folio: &Folio, pins: u32);
}

struct Walk<'v, V> {
    base: u64,
    /// 1 if `base` is an array of pointers, 0 if it is a struct page.
    array: u64,
    /// The run so far; `pins` 0 for none.
    head: u64,
    end: u64,
    pinned: u64,
    pins: u64,
    visitor: &'v mut V,
}

/// Visits `count` pages in order.
#[inline(always)]
pub fn walk<V: Visitor>(pages: Pages, count: u64, visitor: &mut V) {
    let (base, array) = match pages {
        Pages::Array(base) => (base, 1),
        Pages::Range(base) => (base, 0),
    };
    if count == 1 {
        // The commonest call of all, direct I/O of one page, needs no run and no loop.
        let page = if array == 1 {
            kernel::read_u64(base)
        } else {
            Some(base)
        };
        match page.filter(|page| *page != 0).map(page::folio_of) {
            Some(Some(folio)) => visitor.run(&folio, 1),
            _ => count::loss(Loss::PagesUnreadable, 1),
        }
        return;
    }
    let zero = maps::zero();
    let mut walk = Walk {
        base,
        array,
        head: zero,
        end: zero,
        pinned: zero,
        pins: zero,
        visitor,
    };
    let turns = if count > MAX_PAGES {
        count::loss(Loss::PagesUnreadable, count - MAX_PAGES);
        MAX_PAGES
    } else {
        count
    };
    // SAFETY: the callback matches the state it is given, which outlives the call.
    unsafe {
        bpf_loop(turns as u32, step::<V> as *mut c_void, (&raw mut walk).cast(), 0);
    }
    flush(&mut walk);
}

extern "C" fn step<V: Visitor>(index: u32, walk: *mut Walk<'_, V>) -> i64 {
    // SAFETY: bpf_loop hands back the pointer that `walk` gave it.
    let walk = unsafe { &mut *walk };
    let page = if walk.array == 1 {
        match kernel::read_u64(walk.base + u64::from(index) * 8) {
            // The unpin functions skip entries that are NULL (6.12 and later).
            Some(0) => return 0,
            Some(page) => page,
            None => {
                count::loss(Loss::PagesUnreadable, 1);
                return 0;
            }
        }
    } else {
        walk.base + (u64::from(index) << (facts::page_struct_shift() & 31))
    };
    if walk.pins != 0 && page >= walk.head && page < walk.end {
        walk.pins += 1;
        return 0;
    }
    flush(walk);
    match page::folio_of(page) {
        Some(folio) => {
            walk.head = folio.head;
            walk.end = folio.end;
            walk.pinned = u64::from(folio.pinned);
            walk.pins = 1;
        }
        None => count::loss(Loss::PagesUnreadable, 1),
    }
    0
}

#[inline(never)]
fn flush<V: Visitor>(walk: &mut Walk<'_, V>) {
    let pins = walk.pins as u32;
    if pins != 0 {
        walk.pins = 0;
        let folio = Folio {
            head: walk.head,
            end: walk.end,
            pinned: walk.pinned != 0,
        };
        walk.visitor.run(&folio, pins);
    }
}
