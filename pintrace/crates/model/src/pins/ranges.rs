//! Sets of ranges.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::limits;

/// A set of ranges that neither overlap nor adjoin.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges {
    /// End by start.
    ends: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Adds a range. If the set is full, it adds the gap between the range and its neighbour too.
    pub(super) fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        let before = self.ends.range(..=start).next_back();
        if let Some((&first, &last)) = before
            && (last >= start || self.ends.len() >= limits::RANGES)
        {
            (start, end) = (first, end.max(last));
        } else if before.is_none()
            && self.ends.len() >= limits::RANGES
            && let Some((&first, _)) = self.ends.range(start..).next()
        {
            end = end.max(first);
        }
        while let Some((&first, &last)) = self.ends.range(start..=end).next() {
            self.ends.remove(&first);
            end = end.max(last);
        }
        self.ends.insert(start, end);
    }

    /// The parts of a range that the set does not contain.
    pub(super) fn without(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut left = Vec::new();
        let mut from = range.start;
        let before = self.ends.range(..=range.start).next_back();
        let inside = self.ends.range(range.start..range.end.max(range.start));
        for (&start, &end) in before.into_iter().chain(inside) {
            if start > from {
                left.push(from..start);
            }
            from = from.max(end);
        }
        if from < range.end {
            left.push(from..range.end);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_outside_the_set_are_those_not_added(
            added in prop::collection::vec((0u64..64, 0u64..16), 0..12),
            asked in (0u64..64, 0u64..64),
        ) {
            let mut ranges = Ranges::default();
            let mut taken = BTreeSet::new();
            for (start, length) in added {
                ranges.add(start..start + length);
                taken.extend(start..start + length);
            }
            let asked = asked.0..asked.0 + asked.1;
            let left: Vec<u64> = ranges.without(&asked).into_iter().flatten().collect();
            let expected: Vec<u64> = asked.filter(|place| !taken.contains(place)).collect();
            prop_assert_eq!(left, expected);
        }
    }

    #[test]
    fn a_full_set_joins_neighbouring_ranges() {
        let mut ranges = Ranges::default();
        for place in 0..=limits::RANGES as u64 {
            ranges.add(place * 10..place * 10 + 1);
        }
        assert_eq!(ranges.ends.len(), limits::RANGES);
        let last = limits::RANGES as u64 * 10;
        let left: Vec<u64> = ranges
            .without(&(last - 10..last + 2))
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(left, [last + 1]);
        let mut ranges = Ranges::default();
        for place in (0..=limits::RANGES as u64).rev() {
            ranges.add(place * 10..place * 10 + 1);
        }
        assert_eq!(ranges.ends.len(), limits::RANGES);
    }
}
