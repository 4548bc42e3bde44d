//! Where long-term extents are, roughly: which changes of mappings are worth telling.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    macros::map,
    maps::{Array, HashMap},
};
use pintrace_common::{
    counters::Loss,
    limits,
    watch::{FINEST_SHIFT, GRAINS, LEVEL_SHIFT, LEVELS, Watched},
};

use crate::{atomic::Word, count, kernel, loops::ON_DEMAND, page::Folio};

use super::facts;

/// By `mm_struct` or `address_space`. Those of the first kind go with the address space, of the second with the last
/// extent.
#[map]
pub static WATCHED: HashMap<u64, Watched> = HashMap::with_max_entries(limits::WATCHED, ON_DEMAND);

/// Address spaces and files that ever got an entry: spares the others a look-up.
#[map]
static WATCHED_EVER: Array<u64> = Array::with_max_entries(1, 0);

/// A value for new entries, too large for the stack.
static EMPTY: Watched = Watched {
    extents: 0,
    reserved: 0,
    grains: [0; LEVELS * GRAINS],
};

/// Whether there is anything to be watched.
#[inline(always)]
pub fn any() -> bool {
    WATCHED_EVER.get(0).copied().unwrap_or(0) != 0
}

/// Makes sure that a space has an entry.
#[inline(always)]
fn make(space: u64) {
    if WATCHED.get_ptr(space).is_some() {
        return;
    }
    let empty: &Watched = &EMPTY;
    // Another thread of it may be first.
    let _ = WATCHED.insert(space, empty, u64::from(BPF_NOEXIST));
    if WATCHED.get_ptr(space).is_none() {
        count::loss(Loss::WatchFull, 1);
    }
    if let Some(ever) = WATCHED_EVER.get_ptr_mut(0) {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(ever) }.add(1);
    }
}

/// An extent came into being in a space.
#[inline(always)]
pub fn began(space: u64) {
    if space == 0 {
        return;
    }
    make(space);
    if let Some(watched) = WATCHED.get_ptr_mut(space) {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(&raw mut (*watched).extents) }.add(1);
    }
}

/// It is over; gives how many are left.
#[inline(always)]
pub fn ended(space: u64) {
    if let Some(watched) = WATCHED.get_ptr_mut(space) {
        // SAFETY: as above.
        unsafe { Word::at(&raw mut (*watched).extents) }.sub(1);
    }
}

/// The finest level on which a range has fewer than [`GRAINS`] grains.
#[inline(always)]
fn level(start: u64, last: u64) -> u32 {
    let mut level = 0;
    while level < LEVELS as u32 - 1 {
        let shift = shift(level);
        if (last >> shift) - (start >> shift) < GRAINS as u64 {
            return level;
        }
        level += 1;
    }
    level
}

/// log2 of a grain's bytes.
#[inline(always)]
fn shift(level: u32) -> u32 {
    (FINEST_SHIFT + LEVEL_SHIFT * level) & 63
}

/// Adds `n` to the grains of a range, from which it may be taken again by adding `-n`.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_watch(space: u64, start: u64, end: u64, n: u64) -> u32 {
    watch(space, start, end, n);
    0
}

/// [`pintrace_watch`] where the call stack is deep already.
#[inline(always)]
pub fn watch(space: u64, start: u64, end: u64, n: u64) {
    if start >= end {
        return;
    }
    let Some(watched) = WATCHED.get_ptr_mut(space) else {
        return;
    };
    let last = end - 1;
    let level = level(start, last);
    let shift = shift(level);
    let from = start >> shift;
    let grains = (last >> shift) - from + 1;
    let mut turn = 0;
    while turn < GRAINS as u64 && turn < grains {
        let index = u64::from(level << 5) | ((from + turn) & (GRAINS as u64 - 1));
        // SAFETY: a live map value; the mask keeps the index inside, and the grains are only added to.
        unsafe {
            let grain = (&raw mut (*watched).grains)
                .cast::<u64>()
                .add(index as usize & (LEVELS * GRAINS - 1));
            Word::at(grain).add(n);
        }
        turn += 1;
    }
}

/// Whether extents are near a range.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_is_watched(space: u64, start: u64, end: u64) -> u32 {
    if start >= end {
        return 0;
    }
    let Some(watched) = WATCHED.get_ptr(space) else {
        return 0;
    };
    let mut level = 0u32;
    while level < LEVELS as u32 {
        let shift = shift(level);
        let from = start >> shift;
        let grains = ((end - 1) >> shift) - from + 1;
        let mut turn = 0;
        while turn < GRAINS as u64 && turn < grains {
            let index = u64::from(level << 5) | ((from + turn) & (GRAINS as u64 - 1));
            // SAFETY: as above.
            let grain = unsafe {
                (&raw const (*watched).grains)
                    .cast::<u64>()
                    .add(index as usize & (LEVELS * GRAINS - 1))
                    .read_volatile()
            };
            if grain != 0 {
                return 1;
            }
            turn += 1;
        }
        level += 1;
    }
    0
}

/// The address space's entry goes; true if extents are left.
#[inline(always)]
pub fn forget(space: u64) -> bool {
    let Some(watched) = WATCHED.get_ptr(space) else {
        return false;
    };
    // SAFETY: a live map value.
    let left = unsafe { (&raw const (*watched).extents).read_volatile() };
    let _ = WATCHED.remove(space);
    left != 0
}

/// The file's entry goes with its last extent. One that comes in between is not watched; its going finds nothing.
#[inline(always)]
pub fn forget_if_unused(space: u64) {
    let unused = WATCHED
        .get_ptr(space)
        // SAFETY: a live map value.
        .is_some_and(|watched| unsafe { (&raw const (*watched).extents).read_volatile() } == 0);
    if unused {
        let _ = WATCHED.remove(space);
    }
}

/// In `page.mapping`: not a file's page (`PAGE_MAPPING_FLAGS`, include/linux/page-flags.h).
const NO_FILE: u64 = 3;

/// The file that a page belongs to and where in it, in bytes; two zeros if it belongs to none.
#[inline(always)]
pub fn file_of(page: u64) -> (u64, u64) {
    let folio = Folio::of(page);
    if folio.is_none() {
        return (0, 0);
    }
    let head = folio.head();
    let mapping = kernel::read_u64(head + facts::page_mapping()).unwrap_or(0);
    if mapping == 0 || mapping & NO_FILE != 0 {
        return (0, 0);
    }
    let index = kernel::read_u64(head + facts::page_index()).unwrap_or(0);
    let inside = (page - head) >> (crate::facts::page_struct_shift() & 31);
    (mapping, (index + inside) << 12)
}
