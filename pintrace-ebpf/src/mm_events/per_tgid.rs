//! Counters of operations in flight, by process. One read shows that no operation is in flight, and busy processes do
//! not share a cache line.

use aya_ebpf::maps::Array;

use crate::map_ref::{Lookup, word};

/// Number of counters. Where several processes share a counter, a hook may make a look-up in vain.
pub const COUNTERS: u32 = 256;

/// A counter with a cache line for itself.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct PerTgidCounter {
    count: u64,
    rest_of_the_line: [u64; 7],
}

/// Returns true if an operation is in flight in a process, or in a process with the same counter.
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
