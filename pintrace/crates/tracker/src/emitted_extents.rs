//! The extents as last emitted, by the kernel's extent index.

use pintrace_common::ledger::Extent;

use super::changing::Within;

/// One extent as last emitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct EmittedExtent {
    pub(super) opened_ns: u64,
    pub(super) address: u64,
    pub(super) end: u64,
    pub(super) pages: u64,
    pub(super) pages_held: u64,
    pub(super) bytes_held: u64,
    pub(super) stack: i64,
    pub(super) within: Within,
    /// The marks [`Extent::INEXACT_MARKS`] that were emitted.
    pub(super) marks: u32,
    /// Later pin calls may extend the extent: [`Changing`](super::changing::Changing) lists it.
    pub(super) grows: bool,
}

impl EmittedExtent {
    /// The extent as its opening is emitted: all pages held, and no mark.
    pub(super) fn opened(extent: &Extent) -> Self {
        Self {
            opened_ns: extent.opened_ns,
            address: extent.address,
            end: extent.end,
            pages: extent.pages,
            pages_held: extent.pages,
            bytes_held: extent.bytes_held,
            stack: extent.stack,
            within: Within::of(extent),
            marks: 0,
            grows: true,
        }
    }

    /// Takes the state of a sample. Returns true if the state has changed.
    pub(super) fn sampled(&mut self, extent: &Extent) -> bool {
        let before = (self.end, self.pages, self.pages_held, self.bytes_held);
        let now = (extent.end, extent.pages, extent.pages_held, extent.bytes_held);
        (self.end, self.pages, self.pages_held, self.bytes_held) = now;
        before != now
    }
}

/// All open extents. The indices are dense, because the kernel uses free indices again. So a vector takes less time and
/// memory than a hash table.
#[derive(Debug, Default)]
pub(super) struct EmittedExtents(Vec<Option<EmittedExtent>>);

impl EmittedExtents {
    pub(super) fn get(&self, index: u32) -> Option<&EmittedExtent> {
        self.0.get(index as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut EmittedExtent> {
        self.0.get_mut(index as usize)?.as_mut()
    }

    pub(super) fn insert(&mut self, index: u32, extent: EmittedExtent) {
        let index = index as usize;
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        self.0[index] = Some(extent);
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<EmittedExtent> {
        self.0.get_mut(index as usize)?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_is_found_by_its_index_until_it_is_removed() {
        let extent = EmittedExtent::opened(&Extent {
            pages: 3,
            ..Extent::default()
        });
        let mut extents = EmittedExtents::default();
        extents.insert(2, extent);
        assert!(extents.get(1).is_none() && extents.get(9).is_none() && extents.remove(9).is_none());
        assert_eq!(extents.get(2).map(|extent| extent.pages_held), Some(3));
        assert!(extents.remove(2).is_some() && extents.get(2).is_none());
    }

    #[test]
    fn a_sample_without_a_change_is_none() {
        let extent = Extent {
            pages: 3,
            pages_held: 3,
            ..Extent::default()
        };
        let mut emitted = EmittedExtent::opened(&extent);
        assert!(!emitted.sampled(&extent));
        assert!(emitted.sampled(&Extent {
            pages_held: 2,
            ..extent
        }));
    }
}
