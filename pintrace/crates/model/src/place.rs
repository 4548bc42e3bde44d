//! Where extents lie: found by a range of an address space or of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pintrace_events::units::ExtentId;
use pintrace_events::{ExtentOpened, Space};

/// What an address is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// An address space.
    Memory(Space),
    /// A file.
    File(Space),
}

/// A range of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lies {
    pub(super) place: Place,
    pub(super) range: Range<u64>,
}

/// In which address space an extent lies, if that is known.
pub(super) fn in_memory(opened: &ExtentOpened) -> Option<Lies> {
    (opened.space != Space(0)).then_some(Lies {
        place: Place::Memory(opened.space),
        range: opened.address..opened.end,
    })
}

/// In which file an extent lies, if in one.
pub(super) fn in_file(opened: &ExtentOpened) -> Option<Lies> {
    let length = opened.end.saturating_sub(opened.address);
    (opened.file != Space(0)).then_some(Lies {
        place: Place::File(opened.file),
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
pub(super) struct PlaceIndex {
    begins: BTreeSet<(Place, u64, ExtentId)>,
    /// No extent of that place is longer, so that only the near ones are looked at.
    longest: BTreeMap<Place, u64>,
}

impl PlaceIndex {
    pub(super) fn insert(&mut self, lies: &Lies, extent: ExtentId) {
        self.begins.insert((lies.place, lies.range.start, extent));
        self.grow(lies);
    }

    /// An extent that is in already may have become longer.
    pub(super) fn grow(&mut self, lies: &Lies) {
        let length = lies.range.end.saturating_sub(lies.range.start);
        let longest = self.longest.entry(lies.place).or_default();
        *longest = (*longest).max(length);
    }

    pub(super) fn remove(&mut self, lies: &Lies, extent: ExtentId) {
        self.begins.remove(&(lies.place, lies.range.start, extent));
        if self.of(lies.place).next().is_none() {
            self.longest.remove(&lies.place);
        }
    }

    /// The extents of a place.
    pub(super) fn of(&self, place: Place) -> impl Iterator<Item = ExtentId> {
        self.between(place, 0, u64::MAX)
    }

    /// The extents of a place that may overlap a range.
    pub(super) fn near(&self, place: Place, range: &Range<u64>) -> impl Iterator<Item = ExtentId> {
        let longest = self.longest.get(&place).copied().unwrap_or(0);
        self.between(place, range.start.saturating_sub(longest), range.end)
    }

    fn between(&self, place: Place, first: u64, last: u64) -> impl Iterator<Item = ExtentId> {
        // A range that is turned around holds nothing, and `BTreeSet::range` takes none.
        let (from, to) = ((place, first, ExtentId(0)), (place, last, ExtentId(u32::MAX)));
        let some = (from <= to).then(|| self.begins.range(from..=to));
        some.into_iter().flatten().map(|(_, _, extent)| *extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_extents_are_found_however_long_they_are() {
        let place = Place::Memory(Space(1));
        let mut index = PlaceIndex::default();
        for (extent, range) in [(1, 0..100), (2, 100..110), (3, 200..300)] {
            index.insert(&Lies { place, range }, ExtentId(extent));
        }
        index.insert(
            &Lies {
                place: Place::File(Space(1)),
                range: 0..500,
            },
            ExtentId(4),
        );
        let near = |range| index.near(place, &range).collect::<Vec<_>>();
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
