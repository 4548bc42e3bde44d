//! A counting filter over the ranges of extents, by `mm_struct` or `address_space`. The filter shows which mapping
//! changes need a record.

use aya_ebpf::{bindings::BPF_NOEXIST, macros::map, maps::HashMap};
use pintrace_common::{
    counters::Loss,
    limits,
    mm_events::{BUCKETS, LEVELS, RangeFilter, mapping_change},
    range_filter::{index, level, shift},
};

use crate::map_ref::{Lookup, MapRef, get, set, word};
use crate::{
    atomic::Word,
    clock,
    compat::{
        locks::{self, LockTarget},
        loops::HASH_FLAGS,
    },
    count,
    ledger::state,
    unknown_zero::unknown_zero,
};

/// Filters by address of the `mm_struct` or `address_space`. The filter of an mm is removed with the mm, the filter of
/// an address_space with its last extent.
#[map]
pub static RANGE_FILTERS: HashMap<u64, RangeFilter> =
    HashMap::with_max_entries(limits::RANGE_FILTERS, HASH_FLAGS);

/// Added to `extents` while the filter of an address_space is being removed.
const LEAVING: u64 = 1 << 63;

/// The value of a new filter, too large for the stack.
static EMPTY: RangeFilter = RangeFilter {
    extents: 0,
    // The first extent lowers the value to its own time.
    born_ns: u64::MAX,
    records: [0; mapping_change::COUNT],
    unmaps_suppressed: 0,
    buckets: [0; LEVELS * BUCKETS],
};

/// Returns true if there is a filter.
#[inline(always)]
pub fn any() -> bool {
    state::range_filters().load() != 0
}

/// Returns the filter of an mm or address_space, and makes the filter if there is none.
#[inline(always)]
fn find_or_make(within: u64) -> Option<MapRef<RangeFilter>> {
    if let Some(filter) = RANGE_FILTERS.at(within) {
        return Some(filter);
    }
    let empty: &RangeFilter = &EMPTY;
    // Another thread may make the filter first.
    if RANGE_FILTERS
        .insert(within, empty, u64::from(BPF_NOEXIST))
        .is_err()
    {
        return RANGE_FILTERS.at(within);
    }
    state::range_filters().add(1);
    RANGE_FILTERS.at(within)
}

/// Adds an extent to a filter. Returns false, and counts a loss, if changes there cannot be reported.
#[inline(always)]
pub fn add_extent(within: u64, opened_ns: u64) -> bool {
    if within == 0 {
        return true;
    }
    let Some(lock) = locks::lock(LockTarget::Filter(within)) else {
        count::loss(Loss::MmEventTableFull, 1);
        return false;
    };
    let counted = find_or_make(within).is_some_and(|filter| {
        let extents = word!(filter.extents);
        if extents.fetch_add(1) >= LEAVING {
            extents.sub(1);
            return false;
        }
        // Of two threads, the one with the earlier extent may come second.
        if opened_ns < get!(filter.born_ns) {
            set!(filter.born_ns = opened_ns);
        }
        true
    });
    lock.unlock();
    if !counted {
        count::loss(Loss::MmEventTableFull, 1);
    }
    counted
}

/// Removes an extent and its range from a filter. If `last_goes`, the last extent removes the filter.
#[inline(always)]
pub fn remove_extent(within: u64, start: u64, end: u64, opened_ns: u64, last_goes: bool) {
    let Some(filter) = RANGE_FILTERS.at(within) else {
        return;
    };
    if get!(filter.born_ns) > opened_ns {
        return;
    }
    add(within, start, end, u64::MAX);
    let Some(lock) = locks::lock(LockTarget::Filter(within)) else {
        count::loss(Loss::MmEventTableFull, 1);
        return;
    };
    let last = {
        let extents = word!(filter.extents);
        extents.fetch_sub(1) == 1 && last_goes && extents.swap(0, LEAVING)
    };
    if last {
        remove(within);
    }
    lock.unlock();
}

#[inline(always)]
fn remove(within: u64) {
    if RANGE_FILTERS.remove(within).is_ok() {
        state::range_filters().sub(1);
    }
}

/// Adds `n` to the buckets of a range. Adding `-n` undoes the addition.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_filter_add(within: u64, start: u64, end: u64, n: u64) -> u32 {
    add(within, start, end, n);
    0
}

/// Does the work of [`pintrace_filter_add`], for callers whose call stack is deep already.
#[inline(always)]
pub fn add(within: u64, start: u64, end: u64, n: u64) {
    if start >= end {
        return;
    }
    let Some(filter) = RANGE_FILTERS.at(within) else {
        return;
    };
    let last = end - 1;
    // The level is hidden from the verifier, which would follow the loop once for each level.
    let level = (level(start, last) + unknown_zero() as u32) & (LEVELS as u32 - 1);
    let shift = shift(level);
    let from = start >> shift;
    let buckets = (last >> shift) - from + 1;
    let mut nth = 0;
    while nth < BUCKETS as u64 && nth < buckets {
        let index = index(level, from + nth);
        // SAFETY: a live map value. The mask keeps the index inside, and the buckets are only added to.
        unsafe {
            let bucket = (&raw mut (*filter.as_ptr()).buckets)
                .cast::<u64>()
                .add(index as usize & (LEVELS * BUCKETS - 1));
            Word::at(bucket).add(n);
        }
        nth += 1;
    }
}

/// Returns 1 if extents are near a range.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_filter_overlaps(within: u64, start: u64, end: u64) -> u32 {
    if start >= end {
        return 0;
    }
    let Some(filter) = RANGE_FILTERS.at(within) else {
        return 0;
    };
    let mut level = 0u32;
    while level < LEVELS as u32 {
        let shift = shift(level);
        let from = start >> shift;
        let buckets = ((end - 1) >> shift) - from + 1;
        let mut nth = 0;
        while nth < BUCKETS as u64 && nth < buckets {
            let index = index(level, from + nth);
            // SAFETY: as above.
            let bucket = unsafe {
                (&raw const (*filter.as_ptr()).buckets)
                    .cast::<u64>()
                    .add(index as usize & (LEVELS * BUCKETS - 1))
                    .read_volatile()
            };
            if bucket != 0 {
                return 1;
            }
            nth += 1;
        }
        level += 1;
    }
    0
}

/// Returned by [`pintrace_allow_record`].
pub mod allowed {
    /// No record: the process changes mappings too fast.
    pub const NO: u32 = 0;
    /// A record.
    pub const YES: u32 = 1;
    /// A record, after a record of an unmapped range was suppressed.
    pub const AFTER_UNMAP: u32 = 2;
}

/// Returns one of [`allowed`] for a record of a change of kind `what`, and counts the record. The bound holds for each mm
/// and kind, so that one process cannot fill the ring, and cannot hide its own changes of another kind.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_allow_record(within: u64, what: u32) -> u32 {
    let Some(filter) = RANGE_FILTERS.at(within) else {
        return allowed::YES;
    };
    let interval = clock::time() >> RangeFilter::INTERVAL_SHIFT << 32;
    // SAFETY: a live map value, and the mask keeps the index inside.
    let records = unsafe {
        Word::at(
            (&raw mut (*filter.as_ptr()).records)
                .cast::<u64>()
                .add(what as usize & (mapping_change::COUNT - 1)),
        )
    };
    let before = records.load();
    // Threads that begin an interval at the same moment may count too few records, which moves the bound a little.
    if before >> 32 << 32 != interval {
        records.store(interval + 1);
    } else if before - interval >= RangeFilter::MOST_RECORDS {
        if what == mapping_change::UNMAP {
            word!(filter.unmaps_suppressed).add(1);
        }
        return allowed::NO;
    } else {
        records.add(1);
    }
    if word!(filter.unmaps_suppressed).load() != 0 {
        return allowed::AFTER_UNMAP;
    }
    allowed::YES
}

/// Removes the filter of an mm or address_space that ends. Returns true if extents are left.
#[inline(always)]
pub fn forget(within: u64) -> bool {
    let Some(filter) = RANGE_FILTERS.at(within) else {
        return false;
    };
    // SAFETY: a live map value.
    let left = word!(filter.extents).load();
    remove(within);
    left != 0
}
