//! Walks the pages of one call, folio by folio.
//!
//! Neighbouring entries of the same folio make one run, so that a large folio costs one change of the table and not one
//! for each page.

use pintrace_common::counters::Loss;

use crate::{
    compat::loops::{self, Paged},
    count,
    facts::FACTS,
    folio::Folio,
    kernel, rdonly_cast,
    unknown_zero::unknown_zero,
};

/// The form in which a call names its pages.
#[derive(Clone, Copy)]
pub enum Pages {
    /// Address of an array of pointers to struct page or struct folio.
    Array(u64),
    /// Address of the first of contiguous struct pages.
    Range(u64),
}

impl Pages {
    /// Returns the first page, if memory can be read in place.
    #[inline(always)]
    pub fn first(self) -> Option<u64> {
        match self {
            Self::Array(base) => rdonly_cast::u64_at(base),
            Self::Range(base) => Some(base),
        }
    }
}

/// The first entry of a run.
#[derive(Clone, Copy)]
pub struct First {
    base: u64,
    /// Index of the entry.
    pub index: u64,
    /// The page.
    pub page: u64,
    /// The page's folio.
    pub folio: Folio,
}

impl First {
    /// Returns the address of the entry in an array of pointers.
    #[inline(always)]
    pub fn address(&self) -> u64 {
        (self.base & !ARRAY) + self.index * 8
    }
}

/// The work for each run of pages in one folio.
pub trait Visitor: Paged + Copy + 'static {
    /// Handles a page that makes a run of its own, if nothing but the ordinary has to be done
    /// ([`crate::ledger::small_folio`]). Returns [`SMALL`], or 0 if the page has to be handled by [`Visitor::begin`] and
    /// [`Visitor::run`]; the verifier must not know the number.
    fn small(&mut self, _page: u64) -> u64 {
        0
    }
    /// Prepares for a run.
    fn begin(&mut self, _first: First) {}
    /// Handles `pins` neighbouring entries, all in `folio`.
    fn run(&mut self, folio: Folio, pins: u32);
}

/// In the result of [`Visitor::small`]: the page is handled. All other bits are 0.
pub const SMALL: u64 = 1;

/// State of a walk.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Walk<V> {
    /// Address of an array of pointers, plus [`ARRAY`]; or of a struct page. The state is as short as possible, because
    /// the stack of a call chain has 512 bytes.
    base: u64,
    /// The folio of the present run, and the address after its last struct page (`end`).
    folio: u64,
    end: u64,
    /// Index of the first entry of the run.
    start: u64,
    visitor: V,
}

/// Visits `count` pages in order, and returns the visitor.
#[inline(always)]
pub fn walk<V: Visitor>(pages: Pages, count: u64, mut visitor: V) -> V {
    let base = match pages {
        Pages::Array(base) => base | ARRAY,
        Pages::Range(base) => base,
    };
    if count == 1 {
        // The commonest call, direct I/O of one page, needs neither a run nor a loop.
        let page = entry(base, 0);
        let folio = Folio::of(page);
        if folio.is_none() {
            pintrace_count_unreadable(page);
        } else {
            visitor.begin(First {
                base,
                index: 0,
                page,
                folio,
            });
            visitor.run(folio, 1);
        }
        return visitor;
    }
    let mut walk = Walk {
        base,
        folio: unknown_zero(),
        end: unknown_zero(),
        start: unknown_zero(),
        visitor,
    };
    let iterations = if count > loops::MOST_PAGES {
        count::loss(Loss::PagesBeyondWalk, count - loops::MOST_PAGES);
        loops::MOST_PAGES
    } else {
        count
    };
    loops::over_pages(&mut walk, iterations);
    flush(&mut walk, iterations);
    walk.visitor
}

/// Visits one page of a walk. `index` counts up by one from 0. `SHORT` tries [`Visitor::small`] first: only for kernels
/// with `plain_pages` ([`FACTS`]), because the variables of the short way need room on the stack on each kernel.
#[inline(always)]
pub fn step<V: Visitor, const SHORT: bool>(walk: &mut Walk<V>, index: u64) {
    let page = entry(walk.base, index);
    if page >= Folio(walk.folio).head() && page < walk.end {
        return;
    }
    flush(walk, index);
    if SHORT {
        let small = walk.visitor.small(page);
        // Two zeros that the verifier does not know, or it would follow the loop for each known state.
        walk.folio = small & !SMALL;
        walk.end = small & !SMALL;
        if small & SMALL != 0 {
            return;
        }
    }
    // The unpin functions skip entries that are NULL (6.12 and later).
    let folio = Folio::of(page);
    walk.folio = folio.0;
    walk.start = index;
    if folio.is_none() {
        if page != 0 {
            pintrace_count_unreadable(page);
        }
        // No entry continues the run of an entry without a folio.
        walk.end = 0;
        return;
    }
    walk.end = folio.end();
    walk.visitor.begin(First {
        base: walk.base,
        index,
        page,
        folio,
    });
}

/// Flag of [`Walk::base`]: an array. Addresses of arrays and of struct pages are even.
const ARRAY: u64 = 1;

/// Returns the struct page of entry `index`; [`UNREADABLE`] if the entry cannot be read.
#[inline(always)]
fn entry(base: u64, index: u64) -> u64 {
    if base & ARRAY != 0 {
        kernel::read_u64((base & !ARRAY) + index * 8).unwrap_or(UNREADABLE)
    } else {
        base + (index << (FACTS.page_struct_shift() & 31))
    }
}

/// Stands for an entry of pages[] that could not be read. No struct page has this address.
const UNREADABLE: u64 = 1;

/// Counts a page without a folio, by what could not be read: its entry of pages[] or its struct page. A function of its own,
/// because the callback of a loop has 32 bytes of the stack.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn pintrace_count_unreadable(page: u64) -> u32 {
    if page == UNREADABLE {
        count::loss(Loss::PagesArrayUnreadable, 1);
    } else {
        count::loss(Loss::StructPageUnreadable, 1);
    }
    0
}

/// Ends the run before entry `index`.
#[inline(always)]
fn flush<V: Visitor>(walk: &mut Walk<V>, index: u64) {
    let folio = Folio(walk.folio);
    if !folio.is_none() {
        walk.visitor.run(folio, (index - walk.start) as u32);
    }
}
