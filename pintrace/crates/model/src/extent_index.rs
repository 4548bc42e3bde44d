//! Where extents lie: found by a range of an address space or of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

pub(super) use pintrace_events::RangeIn;
use pintrace_events::units::ExtentId;
use pintrace_events::{AddressSpaceId, ExtentOpened, MmId};

/// A range of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) within: RangeIn,
    pub(super) range: Range<u64>,
}

/// In which address space an extent lies, if that is known.
pub(super) fn in_memory(opened: &ExtentOpened) -> Option<Location> {
    (opened.mm != MmId(0)).then_some(Location {
        within: RangeIn::Mm(opened.mm),
        range: opened.address..opened.end,
    })
}

/// In which file an extent lies, if in one.
pub(super) fn in_file(opened: &ExtentOpened) -> Option<Location> {
    let length = opened.end.saturating_sub(opened.address);
    (opened.address_space != AddressSpaceId(0)).then_some(Location {
        within: RangeIn::AddressSpace(opened.address_space),
        range: opened.file_offset..opened.file_offset.saturating_add(length),
    })
}

/// What two ranges share, if anything.
pub(super) fn overlap(one: &Range<u64>, other: &Range<u64>) -> Option<Range<u64>> {
    let shared = one.start.max(other.start)..one.end.min(other.end);
    (!shared.is_empty()).then_some(shared)
}

/// Where each extent begins. Ends change, so they are asked of the extents.
#[derive(Clone, Debug, Default)]
pub(super) struct ExtentIndex {
    begins: BTreeSet<(RangeIn, u64, ExtentId)>,
    /// No extent of that place is longer, so that only the near ones are looked at.
    longest: BTreeMap<RangeIn, u64>,
}

impl ExtentIndex {
    pub(super) fn insert(&mut self, location: &Location, extent: ExtentId) {
        self.begins
            .insert((location.within, location.range.start, extent));
        self.grow(location);
    }

    /// An extent that is in already may have become longer.
    pub(super) fn grow(&mut self, location: &Location) {
        let length = location.range.end.saturating_sub(location.range.start);
        let longest = self.longest.entry(location.within).or_default();
        *longest = (*longest).max(length);
    }

    pub(super) fn remove(&mut self, location: &Location, extent: ExtentId) {
        self.begins
            .remove(&(location.within, location.range.start, extent));
        if self.of(location.within).next().is_none() {
            self.longest.remove(&location.within);
        }
    }

    /// The extents of a place.
    pub(super) fn of(&self, within: RangeIn) -> impl Iterator<Item = ExtentId> {
        self.between(within, 0, u64::MAX)
    }

    /// The extents of a place that may overlap a range.
    pub(super) fn near(&self, within: RangeIn, range: &Range<u64>) -> impl Iterator<Item = ExtentId> {
        let longest = self.longest.get(&within).copied().unwrap_or(0);
        self.between(within, range.start.saturating_sub(longest), range.end)
    }

    fn between(&self, within: RangeIn, first: u64, last: u64) -> impl Iterator<Item = ExtentId> {
        // A range that is turned around holds nothing, and `BTreeSet::range` takes none.
        let (from, to) = ((within, first, ExtentId(0)), (within, last, ExtentId(u32::MAX)));
        let some = (from <= to).then(|| self.begins.range(from..=to));
        some.into_iter().flatten().map(|(_, _, extent)| *extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_extents_are_found_however_long_they_are() {
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
    fn ranges_that_only_meet_share_nothing() {
        assert_eq!(overlap(&(0..10), &(10..20)), None);
        assert_eq!(overlap(&(0..10), &(9..20)), Some(9..10));
        let backwards = Range { start: 10, end: 0 };
        assert_eq!(overlap(&backwards, &(0..20)), None);
    }
}
