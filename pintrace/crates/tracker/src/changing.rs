//! Extents that may have changed since they were last emitted. The model compares a mapping change with the end of an
//! extent, which later pin calls move, and with the pages left in an extent, which releases change.

use std::collections::BTreeSet;

use pintrace_common::ledger::Extent;

use pintrace_events::units::Nanos;

/// Time after which no pin call extends an extent: twice the `GROW_WITHIN_NS` of the eBPF programs.
const GROWS_WITHIN_NS: u64 = 2_000_000_000;

/// Extents that may change, each under its mm and under its file.
#[derive(Debug, Default)]
pub(super) struct Changing {
    grow: BTreeSet<(u64, u32)>,
    shrink: BTreeSet<(u64, u32)>,
}

/// The `mm_struct` and the `address_space` of an extent; 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Within {
    mm: u64,
    address_space: u64,
}

impl Within {
    pub(super) fn of(extent: &Extent) -> Self {
        Self {
            mm: extent.mm,
            address_space: extent.address_space,
        }
    }

    /// Returns both without zeros.
    fn each(self) -> impl Iterator<Item = u64> {
        let each = [self.mm, self.address_space].into_iter();
        each.filter(|&within| within != 0)
    }
}

fn indices(set: &BTreeSet<(u64, u32)>, within: u64) -> impl Iterator<Item = u32> {
    set.range((within, 0)..=(within, u32::MAX))
        .map(|&(_, index)| index)
}

impl Changing {
    /// Returns the extents of this mm or file that later pin calls may extend.
    pub(super) fn growing(&self, within: u64) -> impl Iterator<Item = u32> {
        indices(&self.grow, within)
    }

    /// Returns the extents of this mm or file with released pages.
    pub(super) fn shrinking(&self, within: u64) -> impl Iterator<Item = u32> {
        indices(&self.shrink, within)
    }

    /// The extent was opened.
    pub(super) fn opened(&mut self, index: u32, extent: Within) {
        self.grow.extend(extent.each().map(|within| (within, index)));
    }

    /// The first page of the extent was released.
    pub(super) fn partially_released(&mut self, index: u32, extent: Within) {
        self.shrink.extend(extent.each().map(|within| (within, index)));
    }

    /// The extent was sampled at `now` and has last grown at `grown_ns`. Returns true if the extent still grows: an extent
    /// that has not grown for [`GROWS_WITHIN_NS`] grows no more.
    pub(super) fn sampled(&mut self, now: Nanos, index: u32, extent: Within, grown_ns: u64) -> bool {
        let grows = now.0.saturating_sub(grown_ns) <= GROWS_WITHIN_NS;
        if !grows {
            for within in extent.each() {
                self.grow.remove(&(within, index));
            }
        }
        grows
    }

    /// The extent was closed.
    pub(super) fn closed(&mut self, index: u32, extent: Within) {
        for within in extent.each() {
            self.grow.remove(&(within, index));
            self.shrink.remove(&(within, index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_is_listed_as_long_as_it_may_change() {
        let extent = Extent {
            mm: 7,
            address_space: 8,
            grown_ns: 1_000_000_000,
            ..Extent::default()
        };
        let within = Within::of(&extent);
        let mut changing = Changing::default();
        changing.opened(1, within);
        changing.opened(2, Within::of(&Extent { mm: 9, ..extent }));
        let grow = |changing: &Changing, within| changing.growing(within).collect::<Vec<_>>();
        assert_eq!(
            [7, 8, 9].map(|within| grow(&changing, within)),
            [vec![1], vec![1, 2], vec![2]]
        );
        assert!(changing.sampled(Nanos(3_000_000_000), 1, within, extent.grown_ns));
        assert_eq!(grow(&changing, 7), [1]);
        changing.partially_released(1, within);
        assert!(!changing.sampled(Nanos(3_000_000_001), 1, within, extent.grown_ns));
        assert_eq!([7, 8].map(|within| grow(&changing, within)), [vec![], vec![2]]);
        assert_eq!(changing.shrinking(7).collect::<Vec<_>>(), [1]);
        changing.closed(1, within);
        assert!(changing.shrink.is_empty());
    }
}
