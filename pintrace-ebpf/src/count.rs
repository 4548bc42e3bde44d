//! Counters of pages, per CPU, and of losses.

use pintrace_common::counters::{Loss, Total};

use crate::atomic::Word;
use crate::map_ref::Lookup;
use crate::maps;

/// Losses by [`Loss`], in the map `.bss.losses`. A global and not a map per CPU: the counters hardly ever change, and most of
/// the places that count are on paths where nothing is lost, which a look-up would make longer for the verifier.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.losses")]
static mut LOSSES: [u64; Loss::COUNT] = [0; Loss::COUNT];

/// Adds `n` pages to a total.
#[inline(always)]
pub fn total(which: Total, n: u64) {
    if let Some(counter) = maps::TOTALS.at(which.index()) {
        // An interrupt may count on the same CPU during an addition, so the addition is atomic.
        counter.word().add(n);
    }
}

/// Adds `n` to a loss, in the unit of [`Loss::help`].
#[inline(always)]
pub fn loss(which: Loss, n: u64) {
    // SAFETY: an aligned word of a global, which is only added to.
    unsafe { Word::at(&raw mut LOSSES[which as usize]) }.add(n);
}
