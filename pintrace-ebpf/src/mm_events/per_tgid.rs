//! Counters of operations in flight, by process. One read tells that there are none, and busy processes do not share a cache
//! line.

use aya_ebpf::maps::Array;

use crate::map_ref::{Lookup, word};

/// Places for the counts. Processes may meet in one: then one looks further in vain.
pub const COUNTERS: u32 = 256;

/// A count with a cache line of its own.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct PerTgidCounter {
    count: u64,
    rest_of_the_line: [u64; 7],
}

/// Whether any are under way in a process, or in one that shares its place.
#[inline(always)]
pub fn any(counters: &Array<PerTgidCounter>, tgid: u32) -> bool {
    counters
        .at(tgid & (COUNTERS - 1))
        .is_some_and(|counter| word!(counter.count).load() != 0)
}

/// Adds `n`, which may be -1.
#[inline(always)]
pub fn add(counters: &Array<PerTgidCounter>, tgid: u32, n: u64) {
    if let Some(counter) = counters.at(tgid & (COUNTERS - 1)) {
        word!(counter.count).add(n);
    }
}
