//! Extents by id, in pages of neighbouring ids. The ids of a live stream are the dense indices of a BPF map, so pages take
//! less memory than a tree of extents.

use std::collections::BTreeMap;

use pintrace_events::units::ExtentId;

use crate::limits;

use super::extent::ExtentState;

/// Ids of one page.
const PAGE: u32 = 16;
/// Most pages: as many as [`limits::EXTENTS`] dense ids need. A forged stream may have scattered ids.
const PAGES: usize = limits::EXTENTS / PAGE as usize;

type Slots = Box<[Option<ExtentState>; PAGE as usize]>;

/// The extents of [`PAGE`] ids.
#[derive(Clone, Debug)]
struct Page {
    slots: Slots,
    used: usize,
}

/// All extents.
#[derive(Clone, Debug, Default)]
pub(super) struct ExtentSlots {
    pages: BTreeMap<u32, Page>,
    /// Number of extents.
    used: usize,
    /// The slots of a page that became empty, for the next page.
    spare: Option<Slots>,
}

/// Returns the number of the page, and the slot in the page.
fn place(extent: ExtentId) -> (u32, usize) {
    (extent.0 / PAGE, (extent.0 % PAGE) as usize)
}

impl ExtentSlots {
    /// Returns true if there is room for an extent with this id.
    pub(super) fn has_room(&self, extent: ExtentId) -> bool {
        let (page, _) = place(extent);
        self.used < limits::EXTENTS && (self.pages.len() < PAGES || self.pages.contains_key(&page))
    }

    pub(super) fn get(&self, extent: ExtentId) -> Option<&ExtentState> {
        let (page, slot) = place(extent);
        self.pages.get(&page)?.slots.get(slot)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, extent: ExtentId) -> Option<&mut ExtentState> {
        let (page, slot) = place(extent);
        self.pages.get_mut(&page)?.slots.get_mut(slot)?.as_mut()
    }

    /// Inserts an extent, which replaces the extent with the same id.
    pub(super) fn insert(&mut self, extent: ExtentId, state: ExtentState) -> &mut ExtentState {
        let (page, slot) = place(extent);
        let spare = &mut self.spare;
        let page = self.pages.entry(page).or_insert_with(|| Page {
            slots: spare.take().unwrap_or_else(|| Box::new([None; PAGE as usize])),
            used: 0,
        });
        let slot = &mut page.slots[slot];
        if slot.is_none() {
            page.used += 1;
            self.used += 1;
        }
        slot.insert(state)
    }

    pub(super) fn remove(&mut self, extent: ExtentId) -> Option<ExtentState> {
        let (number, slot) = place(extent);
        let page = self.pages.get_mut(&number)?;
        let state = page.slots.get_mut(slot)?.take()?;
        page.used -= 1;
        self.used -= 1;
        if page.used == 0 {
            self.spare = self.pages.remove(&number).map(|page| page.slots);
        }
        Some(state)
    }

    /// Returns all extents in order of their ids.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut ExtentState> {
        self.pages
            .values_mut()
            .flat_map(|page| page.slots.iter_mut().flatten())
    }
}

#[cfg(test)]
mod tests {
    use pintrace_events::ExtentOpened;
    use pintrace_events::units::Nanos;

    use super::*;

    fn state(id: u32) -> ExtentState {
        let opened = ExtentOpened {
            extent: ExtentId(id),
            ..ExtentOpened::default()
        };
        ExtentState::opened(Nanos(0), opened)
    }

    #[test]
    fn extents_are_found_until_they_are_removed() {
        let mut slots = ExtentSlots::default();
        for id in [0, 15, 16, u32::MAX] {
            slots.insert(ExtentId(id), state(id));
            slots.insert(ExtentId(id), state(id));
        }
        assert_eq!((slots.used, slots.pages.len()), (4, 3));
        assert!(slots.get(ExtentId(1)).is_none() && slots.get(ExtentId(17)).is_none());
        let all = |slots: &mut ExtentSlots| -> Vec<u32> {
            slots.all_mut().map(|state| state.opened.extent.0).collect()
        };
        assert_eq!(all(&mut slots), [0, 15, 16, u32::MAX]);
        assert!(slots.remove(ExtentId(16)).is_some() && slots.remove(ExtentId(16)).is_none());
        assert!(slots.spare.is_some(), "an empty page is kept for the next one");
        slots.insert(ExtentId(99), state(99));
        assert_eq!(all(&mut slots), [0, 15, 99, u32::MAX]);
        assert!(slots.spare.is_none());
    }

    /// A forged stream with scattered ids finds no room for a page long before the limit of extents.
    #[test]
    fn scattered_ids_take_no_more_memory_than_dense_ids() {
        let mut slots = ExtentSlots::default();
        for id in (0..u32::MAX).step_by(1 << 16).chain([1]) {
            let extent = ExtentId(id);
            assert!(slots.has_room(extent), "{id}");
            slots.insert(extent, state(id));
        }
        assert_eq!(slots.pages.len(), PAGES);
        assert!(!slots.has_room(ExtentId(100)) && slots.has_room(ExtentId(2)));
    }
}
