//! The arithmetic of [`RangeFilter`](crate::mm_events::RangeFilter): the buckets that a range of addresses touches.

#![expect(
    clippy::inline_always,
    reason = "a call costs a BPF program more than these functions do"
)]
#![expect(clippy::cast_possible_truncation, reason = "small constants")]

use crate::mm_events::{BUCKETS, FINEST_SHIFT, LEVEL_SHIFT, LEVELS};

/// Returns the finest level on which the range from `start` to its last byte touches at most [`BUCKETS`] buckets.
#[inline(always)]
pub fn level(start: u64, last: u64) -> u32 {
    let mut level = 0;
    while level < LEVELS as u32 - 1 {
        let shift = shift(level);
        if (last >> shift) - (start >> shift) < BUCKETS as u64 {
            return level;
        }
        level += 1;
    }
    level
}

/// Returns log2 of the bytes of a bucket.
#[inline(always)]
pub fn shift(level: u32) -> u32 {
    (FINEST_SHIFT + LEVEL_SHIFT * level) & 63
}

/// Returns the index of a bucket in [`RangeFilter::buckets`](crate::mm_events::RangeFilter::buckets). `bucket` is an
/// address shifted right by [`shift`].
#[inline(always)]
pub fn index(level: u32, bucket: u64) -> u64 {
    u64::from(level << LEVEL_SHIFT) | (bucket & (BUCKETS as u64 - 1))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    /// Returns the buckets in which an extent counts.
    fn buckets(start: u64, end: u64) -> Vec<u64> {
        let level = level(start, end - 1);
        on(level, start, end)
    }

    fn on(level: u32, start: u64, end: u64) -> Vec<u64> {
        let (from, to) = (start >> shift(level), (end - 1) >> shift(level));
        (from..=to)
            .take(BUCKETS)
            .map(|bucket| index(level, bucket))
            .collect()
    }

    /// Returns the result of `pintrace_filter_overlaps`.
    fn overlaps(extent: (u64, u64), change: (u64, u64)) -> bool {
        let held = buckets(extent.0, extent.1);
        (0..LEVELS as u32)
            .flat_map(|level| on(level, change.0, change.1))
            .any(|index| held.contains(&index))
    }

    #[test]
    fn a_bucket_is_2_mib_64_mib_2_gib_or_64_gib() {
        let sizes: Vec<u64> = (0..LEVELS as u32).map(|level| 1 << shift(level)).collect();
        assert_eq!(sizes, [2 * MIB, 64 * MIB, 2 * GIB, 64 * GIB]);
    }

    #[test]
    fn a_range_uses_the_finest_level_with_enough_buckets() {
        assert_eq!(level(0, 64 * MIB - 1), 0);
        assert_eq!(level(0, 64 * MIB), 1);
        assert_eq!(level(0, 2 * GIB - 1), 1);
        assert_eq!(level(0, 2 * GIB), 2);
        assert_eq!(level(0, 64 * GIB), 3);
        assert_eq!(level(0, u64::MAX), 3);
    }

    #[test]
    fn every_index_is_in_the_buckets_of_its_level() {
        for level in 0..LEVELS as u32 {
            for bucket in [0, 31, 32, u64::MAX >> shift(level)] {
                let index = index(level, bucket) as usize;
                assert_eq!(index / BUCKETS, level as usize);
                assert!(index < LEVELS * BUCKETS);
            }
        }
    }

    #[test]
    fn a_change_of_any_byte_of_an_extent_overlaps() {
        for bytes in [4096, 2 * MIB, 63 * MIB, 3 * GIB, 200 * GIB, 5000 * GIB] {
            let start = 0x7f12_3456_7000;
            let extent = (start, start + bytes);
            for at in [start, start + bytes / 2, start + bytes - 1] {
                assert!(overlaps(extent, (at, at + 1)), "{bytes} at {at:x}");
            }
            assert!(overlaps(extent, (0, u64::MAX)));
        }
    }

    #[test]
    fn a_change_two_buckets_away_does_not_overlap() {
        let start = 0x7f12_3450_0000;
        assert!(!overlaps(
            (start, start + 4096),
            (start + 4 * MIB, start + 4 * MIB + 4096)
        ));
    }
}
