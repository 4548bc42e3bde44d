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

use crate::{
    atomic::Word,
    count, kernel,
    locks::{self, What},
    loops::ON_DEMAND,
    maps,
    page::Folio,
};

use super::facts;

/// By `mm_struct` or `address_space`. Those of the first kind go with the address space, of the second with the last
/// extent.
#[map]
pub static WATCHED: HashMap<u64, Watched> = HashMap::with_max_entries(limits::WATCHED, ON_DEMAND);

/// How many entries there are: none spares everybody a look-up.
#[map]
static WATCHED_COUNT: Array<u64> = Array::with_max_entries(1, 0);

/// Added to the extents of a file's entry that is on its way out.
const LEAVING: u64 = 1 << 63;

/// A value for new entries, too large for the stack.
static EMPTY: Watched = Watched {
    extents: 0,
    // Until an extent says when it was opened.
    born_ns: u64::MAX,
    grains: [0; LEVELS * GRAINS],
};

/// Whether there is anything to be watched.
#[inline(always)]
pub fn any() -> bool {
    WATCHED_COUNT.get(0).copied().unwrap_or(0) != 0
}

#[inline(always)]
fn entries(n: u64) {
    if let Some(entries) = WATCHED_COUNT.get_ptr_mut(0) {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(entries) }.add(n);
    }
}

/// A space's entry, made if there is none.
#[inline(always)]
fn entry(space: u64) -> Option<*mut Watched> {
    if let Some(watched) = WATCHED.get_ptr_mut(space) {
        return Some(watched);
    }
    let empty: &Watched = &EMPTY;
    // Another thread of it may be first.
    if WATCHED.insert(space, empty, u64::from(BPF_NOEXIST)).is_err() {
        return WATCHED.get_ptr_mut(space);
    }
    entries(1);
    WATCHED.get_ptr_mut(space)
}

/// An extent came into being in a space. False if it cannot be watched, which is counted.
#[inline(always)]
pub fn began(space: u64, opened_ns: u64) -> bool {
    if space == 0 {
        return true;
    }
    let Some(lock) = locks::lock(What::Space(space)) else {
        count::loss(Loss::WatchFull, 1);
        return false;
    };
    let counted = entry(space).is_some_and(|watched| {
        // SAFETY: a live map value, accessed atomically.
        unsafe {
            let extents = Word::at(&raw mut (*watched).extents);
            if extents.fetch_add(1) >= LEAVING {
                extents.sub(1);
                return false;
            }
            // Of two threads the one that was first may come second.
            if opened_ns < (*watched).born_ns {
                (*watched).born_ns = opened_ns;
            }
        }
        true
    });
    lock.unlock();
    if !counted {
        count::loss(Loss::WatchFull, 1);
    }
    counted
}

/// An extent of a range is over. `last_goes`: the entry goes with its last extent.
#[inline(always)]
pub fn ended(space: u64, start: u64, end: u64, opened_ns: u64, last_goes: bool) {
    let Some(watched) = WATCHED.get_ptr_mut(space) else {
        return;
    };
    // SAFETY: a live map value.
    if unsafe { (*watched).born_ns } > opened_ns {
        return;
    }
    watch(space, start, end, u64::MAX);
    let Some(lock) = locks::lock(What::Space(space)) else {
        count::loss(Loss::WatchFull, 1);
        return;
    };
    // SAFETY: as above, accessed atomically.
    let last = unsafe {
        let extents = Word::at(&raw mut (*watched).extents);
        extents.fetch_sub(1) == 1 && last_goes && extents.swap(0, LEAVING)
    };
    if last {
        remove(space);
    }
    lock.unlock();
}

#[inline(always)]
fn remove(space: u64) {
    if WATCHED.remove(space).is_ok() {
        entries(u64::MAX);
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
    let Some(zeros) = maps::Zeros::find() else {
        return;
    };
    let last = end - 1;
    // Which level it is the verifier is not to know: it would follow the loop once for each.
    let level = (level(start, last) + zeros.next() as u32) & (LEVELS as u32 - 1);
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

/// The entry of an address space or file goes; true if extents are left.
#[inline(always)]
pub fn forget(space: u64) -> bool {
    let Some(watched) = WATCHED.get_ptr(space) else {
        return false;
    };
    // SAFETY: a live map value.
    let left = unsafe { (&raw const (*watched).extents).read_volatile() };
    remove(space);
    left != 0
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
    let mapping = kernel::u64_at(head + facts::page_mapping());
    if mapping == 0 || mapping & NO_FILE != 0 {
        return (0, 0);
    }
    let index = kernel::u64_at(head + facts::page_index());
    let inside = (page - head) >> (crate::facts::page_struct_shift() & 31);
    (mapping, (index + inside) << 12)
}
