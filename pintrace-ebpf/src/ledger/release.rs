//! Takes unpinned pages off their owners.
//!
//! The hooks run on entry of the unpin functions, while the pins still exist, and in any context. The running task is not always
//! the owner of the pins.

use core::{ffi::c_void, marker::PhantomData};

use pintrace_common::{
    counters::{Loss, Total},
    holder_kind::kind,
};

use crate::{
    compat::{loops::Paged, retries, trampoline},
    count,
    folio::Folio,
    ledger::{
        code_kind,
        folio_table::{CellTable, Chunks},
        longterm_scope::{self, Scope},
        owners,
        releaser::ReleaseCode,
        small_folio, state,
        walk::{self, First, Pages, Visitor},
    },
    log,
    unknown_zero::unknown_zero,
};

/// Returns the [`ReleaseCode`] of the code that called an unpin function with `parameters` parameters. The code matters only
/// for a folio with several owners.
#[inline(always)]
fn code_of_caller(ctx: *mut c_void, parameters: u32) -> u64 {
    if state::multi_owner_folios().load() != 0 {
        let [first, second] = trampoline::callers_at_entry(ctx, parameters);
        // The code of the unpin functions has no kind.
        let kind = match code_kind::pintrace_code_kind(first) {
            kind::UNKNOWN if first != second => code_kind::pintrace_code_kind(second),
            kind => kind,
        };
        ReleaseCode::of_kind(ctx, kind).0
    } else {
        kind::UNKNOWN
    }
}

/// Takes `count` pages off the ledger, unless the release is inside a long-term pin call. [`dropped_inside`] counts
/// such releases, at the function that the kernel calls for each folio.
#[inline(always)]
pub fn released(ctx: *mut c_void, parameters: u32, pages: Pages, count: u64) {
    if count == 1
        && let Some(page) = pages.first()
        && small_folio::released(page)
    {
        return;
    }
    match longterm_scope::of_release(ctx) {
        Scope::Outside => {}
        Scope::Counted => return,
        Scope::Failing => {
            // No code of mm/gup.c drops contiguous pages by the function for ranges.
            if let Pages::Array(base) = pages {
                retries::drop_array(base, count);
            }
            return;
        }
    }
    let code = code_of_caller(ctx, parameters);
    match pages {
        Pages::Array(base) => pintrace_unpin_array(base, count, code),
        Pages::Range(base) => pintrace_unpin_range(base, count, code),
    };
    log::debug!(ctx, "unpinned {} pages", count);
}

/// Does the work of [`released`] for the pages of an array. The function is global, so that the verifier follows it
/// once and not on every path.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_unpin_array(base: u64, count: u64, code: u64) -> u32 {
    unpin_pages::<Chunks>(Pages::Array(base), count, code)
}

/// Does the work of [`released`] for contiguous pages, as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_unpin_range(base: u64, count: u64, code: u64) -> u32 {
    unpin_pages::<Chunks>(Pages::Range(base), count, code)
}

/// Takes the pages of a call off a folio table. `code` is a [`ReleaseCode`].
#[inline(always)]
pub fn unpin_pages<T: CellTable>(pages: Pages, count: u64, code: u64) -> u32
where
    Take<T>: Paged,
{
    walk::walk(pages, count, Take::<T>::new(code)).settle();
    0
}

/// Takes `pins` pins of one folio off the ledger. `page` is one of the folio's pages. `only` is true if the page itself
/// is released, and false if any page of the folio may be.
#[inline(always)]
pub fn released_folio(ctx: *mut c_void, parameters: u32, page: u64, only: bool, pins: u64) {
    if pins == 1 && small_folio::released(page) {
        return;
    }
    match longterm_scope::of_release(ctx) {
        Scope::Outside => {}
        Scope::Counted => return,
        Scope::Failing => {
            dropped_inside(page, pins);
            return;
        }
    }
    let mut take = Take::<Chunks>::new(code_of_caller(ctx, parameters));
    let folio = Folio::of(page);
    if folio.is_none() {
        count::loss(Loss::StructPageUnreadable, pins);
    } else {
        take.page = if only { page } else { 0 };
        take.run(folio, pins as u32);
    }
    take.settle();
    log::debug!(ctx, "unpinned {} pages", pins);
}

/// Counts pins that a pin call drops again. The compiler inlines the exported unpin functions into their callers in
/// mm/gup.c (`migrate_longterm_unpinnable_folios`, `__gup_longterm_locked`), down to `gup_put_folio`, which those
/// callers call on every kernel measured.
#[inline(always)]
pub fn dropped_inside(head: u64, pins: u64) {
    let folio = Folio::of(head);
    if folio.is_none() {
        count::loss(Loss::StructPageUnreadable, pins);
    } else {
        count_dropped(folio, pins);
    }
}

/// Counts `pins` pins of a folio that a pin call drops again.
#[inline(always)]
pub fn count_dropped(folio: Folio, pins: u64) {
    let total = if folio.is_pinned() {
        Total::GupRetry
    } else {
        Total::Unpinned
    };
    count::total(total, pins);
    longterm_scope::count_dropped(pins);
}

/// State of a walk that takes pages off the folio table.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Take<T> {
    /// The code that releases, and whether the running task does.
    code: ReleaseCode,
    /// The first page of the run; 0 if any page of the folio may be released.
    page: u64,
    released: u64,
    /// The owner to be debited with `pages` and `bytes`: neighbouring pages mostly have the same owner.
    owner: u64,
    pages: u64,
    bytes: u64,
    table: PhantomData<T>,
}

impl<T> Take<T> {
    #[inline(always)]
    fn new(code: u64) -> Self {
        // The zeros are unknown to the verifier for the same reason as in `walk`.
        Self {
            code: ReleaseCode(code),
            page: 0,
            released: unknown_zero(),
            owner: unknown_zero(),
            pages: unknown_zero(),
            bytes: unknown_zero(),
            table: PhantomData,
        }
    }

    /// Collects pages and bytes that `owner` no longer holds.
    #[inline(always)]
    fn collect(&mut self, owner: u32, pages: u64, bytes: u64) {
        if u64::from(owner) != self.owner {
            self.debit();
            self.owner = u64::from(owner);
        }
        self.pages += pages;
        self.bytes += bytes;
    }

    /// Subtracts the collected pages and bytes from the counts of the owner, and empties them.
    #[inline(always)]
    fn debit(&mut self) {
        if self.pages != 0 {
            let zero = owners::pintrace_debit(self.owner as u32, self.pages, self.bytes);
            self.pages = zero;
            self.bytes = zero;
        }
    }

    #[inline(always)]
    fn settle(&mut self) {
        self.debit();
        if self.released != 0 {
            count::total(Total::Released, self.released);
        }
    }
}

impl<T: CellTable> Visitor for Take<T>
where
    Self: Paged,
{
    #[inline(always)]
    fn small(&mut self, page: u64) -> u64 {
        let taken = T::take_small(page);
        let pins = taken & walk::SMALL;
        if pins != 0 {
            self.collect((taken >> 32) as u32, pins, pins << 12);
            self.released += pins;
        }
        taken & 0xffff_ffff
    }

    #[inline(always)]
    fn begin(&mut self, first: First) {
        self.page = first.page;
    }

    #[inline(always)]
    fn run(&mut self, folio: Folio, pins: u32) {
        if !folio.is_pinned() {
            count::total(Total::Unpinned, u64::from(pins));
            return;
        }
        let code = self.code.with_page(folio.head(), self.page);
        let taken = T::take(folio.marked_head(), pins, code, folio.bytes());
        if let Some(owner) = taken.owner_to_debit() {
            let bytes = if taken.emptied() { folio.kept() } else { 0 };
            self.collect(owner, u64::from(pins), bytes);
        }
        let left = taken.without_owner();
        self.released += u64::from(pins) - left;
        if left != 0 {
            count::total(Total::PreexistingReleased, left);
        }
    }
}
