//! Extents that may have changed since they were last told. A touch is matched with where an extent ends, which later pin
//! calls move, and with how much of it is left once pages were released.

use std::collections::BTreeSet;

use pintrace_common::ledger::Extent;

use pintrace_events::units::Nanos;

/// Longer than a call may come after another that it continues (`GROW_WITHIN_NS` of the programs).
const GROWS_WITHIN_NS: u64 = 2_000_000_000;

/// Extents that may change, by the address space or file that they lie in.
#[derive(Debug, Default)]
pub(super) struct Changing {
    grow: BTreeSet<(u64, u32)>,
    shrink: BTreeSet<(u64, u32)>,
}

fn places(extent: &Extent) -> impl Iterator<Item = u64> {
    [extent.mm, extent.address_space]
        .into_iter()
        .filter(|&space| space != 0)
}

fn of(set: &BTreeSet<(u64, u32)>, space: u64) -> impl Iterator<Item = u32> {
    set.range((space, 0)..=(space, u32::MAX)).map(|&(_, index)| index)
}

impl Changing {
    /// Extents of this address space or file that later calls may extend.
    pub(super) fn growing(&self, space: u64) -> impl Iterator<Item = u32> {
        of(&self.grow, space)
    }

    /// Extents of this address space or file of which pages were released.
    pub(super) fn shrinking(&self, space: u64) -> impl Iterator<Item = u32> {
        of(&self.shrink, space)
    }

    pub(super) fn begins(&mut self, index: u32, extent: &Extent) {
        self.grow.extend(places(extent).map(|space| (space, index)));
    }

    /// Its first page was released.
    pub(super) fn partially_released(&mut self, index: u32, extent: &Extent) {
        self.shrink.extend(places(extent).map(|space| (space, index)));
    }

    /// Looked at `now`: what has not grown for long grows no more.
    pub(super) fn seen(&mut self, now: Nanos, index: u32, extent: &Extent) {
        if now.0.saturating_sub(extent.grown_ns) > GROWS_WITHIN_NS {
            for space in places(extent) {
                self.grow.remove(&(space, index));
            }
        }
    }

    pub(super) fn ends(&mut self, index: u32, extent: &Extent) {
        for space in places(extent) {
            self.grow.remove(&(space, index));
            self.shrink.remove(&(space, index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_is_looked_at_as_long_as_it_may_change() {
        let extent = Extent {
            mm: 7,
            address_space: 8,
            grown_ns: 1_000_000_000,
            ..Extent::default()
        };
        let mut changing = Changing::default();
        changing.begins(1, &extent);
        changing.begins(2, &Extent { mm: 9, ..extent });
        let grow = |changing: &Changing, space| of(&changing.grow, space).collect::<Vec<_>>();
        assert_eq!(
            [7, 8, 9].map(|space| grow(&changing, space)),
            [vec![1], vec![1, 2], vec![2]]
        );
        changing.seen(Nanos(3_000_000_000), 1, &extent);
        assert_eq!(grow(&changing, 7), [1]);
        changing.partially_released(1, &extent);
        changing.seen(Nanos(3_000_000_001), 1, &extent);
        assert_eq!([7, 8].map(|space| grow(&changing, space)), [vec![], vec![2]]);
        assert_eq!(of(&changing.shrink, 7).collect::<Vec<_>>(), [1]);
        changing.ends(1, &extent);
        assert!(changing.shrink.is_empty());
    }
}
