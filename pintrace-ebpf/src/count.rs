//! Counters of pages and losses, per CPU.

use aya_ebpf::maps::PerCpuArray;
use pintrace_common::counters::{Loss, Total};

use crate::map_ref::Lookup;
use crate::maps;

/// Adds `n` pages to a total.
#[inline(always)]
pub fn total(which: Total, n: u64) {
    add(&maps::TOTALS, which.index(), n);
}

/// Adds `n` to a loss, in the unit of [`Loss::help`].
#[inline(always)]
pub fn loss(which: Loss, n: u64) {
    add(&maps::LOSSES, which.index(), n);
}

#[inline(always)]
fn add(map: &PerCpuArray<u64>, index: u32, n: u64) {
    if let Some(counter) = map.at(index) {
        // An interrupt may count on the same CPU during an addition, so the addition is atomic.
        counter.word().add(n);
    }
}
