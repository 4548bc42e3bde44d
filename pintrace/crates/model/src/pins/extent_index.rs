//! Locations of extents: the index finds extents by a range of an mm or of a file.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pintrace_events::units::ExtentId;
use pintrace_events::{AddressSpaceId, ExtentOpened, MmId, RangeIn};

/// A range in an mm or in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) within: RangeIn,
    pub(super) range: Range<u64>,
}

/// The location of an extent in its mm, if the mm is known.
pub(super) fn in_memory(opened: &ExtentOpened) -> Option<Location> {
    (opened.mm != MmId(0)).then_some(Location {
        within: RangeIn::Mm(opened.mm),
        range: opened.address..opened.end,
    })
}

/// The location of an extent in its file, if it belongs to one.
pub(super) fn in_file(opened: &ExtentOpened) -> Option<Location> {
    let length = opened.end.saturating_sub(opened.address);
    (opened.address_space != AddressSpaceId(0)).then_some(Location {
        within: RangeIn::AddressSpace(opened.address_space),
        range: opened.file_offset..opened.file_offset.saturating_add(length),
    })
}

/// Returns the part that two ranges share.
pub(super) fn overlap(one: &Range<u64>, other: &Range<u64>) -> Option<Range<u64>> {
    let shared = one.start.max(other.start)..one.end.min(other.end);
    (!shared.is_empty()).then_some(shared)
}

/// The extents of one mm or file.
#[derive(Clone, Debug, Default)]
struct Starts {
    /// Start of each extent. The index holds no ends, because samples change them.
    starts: BTreeSet<(u64, ExtentId)>,
    /// Upper bound of the length of the extents. A search begins this far before its range.
    longest: u64,
}

/// All extents, by mm and by file.
#[derive(Clone, Debug, Default)]
pub(super) struct ExtentIndex(BTreeMap<RangeIn, Starts>);

impl ExtentIndex {
    pub(super) fn insert(&mut self, location: &Location, extent: ExtentId) {
        let within = self.0.entry(location.within).or_default();
        within.starts.insert((location.range.start, extent));
        within.grow(location);
    }

    /// Notes that an extent of the index may have grown.
    pub(super) fn grow(&mut self, location: &Location) {
        if let Some(within) = self.0.get_mut(&location.within) {
            within.grow(location);
        }
    }

    pub(super) fn remove(&mut self, location: &Location, extent: ExtentId) {
        if let Entry::Occupied(mut within) = self.0.entry(location.within) {
            within.get_mut().starts.remove(&(location.range.start, extent));
            if within.get().starts.is_empty() {
                within.remove();
            }
        }
    }

    /// Returns the extents of an mm or file.
    pub(super) fn of(&self, within: RangeIn) -> impl Iterator<Item = ExtentId> {
        let starts = self.0.get(&within).into_iter();
        starts.flat_map(|within| within.starts.iter().map(|(_, extent)| *extent))
    }

    /// Returns the extents of an mm or file that may overlap a range.
    pub(super) fn near(&self, within: RangeIn, range: &Range<u64>) -> impl Iterator<Item = ExtentId> {
        let (start, last) = (range.start, range.end);
        let starts = self.0.get(&within).into_iter();
        starts.flat_map(move |within| within.between(start.saturating_sub(within.longest), last))
    }
}

impl Starts {
    fn grow(&mut self, location: &Location) {
        let length = location.range.end.saturating_sub(location.range.start);
        self.longest = self.longest.max(length);
    }

    fn between(&self, first: u64, last: u64) -> impl Iterator<Item = ExtentId> {
        // A forged range may be reversed: such a range is empty, and `BTreeSet::range` panics on it.
        let (from, to) = ((first, ExtentId(0)), (last, ExtentId(u32::MAX)));
        let some = (from <= to).then(|| self.starts.range(from..=to));
        some.into_iter().flatten().map(|(_, extent)| *extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_finds_extents_of_any_length() {
        let within = RangeIn::Mm(MmId(1));
        let mut index = ExtentIndex::default();
        for (extent, range) in [(1, 0..100), (2, 100..110), (3, 200..300)] {
            index.insert(&Location { within, range }, ExtentId(extent));
        }
        index.insert(
            &Location {
                within: RangeIn::AddressSpace(AddressSpaceId(1)),
                range: 0..500,
            },
            ExtentId(4),
        );
        let near = |range| index.near(within, &range).collect::<Vec<_>>();
        assert_eq!(near(90..120), [ExtentId(1), ExtentId(2)]);
        assert_eq!(near(290..291), [ExtentId(3)]);
        assert_eq!(
            near(Range {
                start: u64::MAX,
                end: 0
            }),
            []
        );
    }

    #[test]
    fn adjoining_ranges_do_not_overlap() {
        assert_eq!(overlap(&(0..10), &(10..20)), None);
        assert_eq!(overlap(&(0..10), &(9..20)), Some(9..10));
        let backwards = Range { start: 10, end: 0 };
        assert_eq!(overlap(&backwards, &(0..20)), None);
    }
}
