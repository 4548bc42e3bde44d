//! How many of something are under way, by process: one look tells that there are none, and processes that are busy do
//! not fight for one cache line.

use aya_ebpf::maps::Array;

use crate::atomic::Word;

/// Places for the counts. Processes may meet in one: then one looks further in vain.
pub const PLACES: u32 = 256;

/// A count with a cache line of its own.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Tally([u64; 8]);

/// Whether any are under way in a process, or in one that shares its place.
#[inline(always)]
pub fn any(tallies: &Array<Tally>, tgid: u32) -> bool {
    tallies
        .get_ptr(tgid & (PLACES - 1))
        // SAFETY: a live map value.
        .is_some_and(|tally| unsafe { tally.cast::<u64>().read_volatile() } != 0)
}

/// Adds `n`, which may be -1.
#[inline(always)]
pub fn add(tallies: &Array<Tally>, tgid: u32, n: u64) {
    if let Some(tally) = tallies.get_ptr_mut(tgid & (PLACES - 1)) {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(tally.cast::<u64>()) }.add(n);
    }
}
