//! The open long-term extents, by id, by account and by location.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use pintrace_events::units::{AccountId, ExtentId, Nanos};
use pintrace_events::{
    AddressSpaceId, ExtentMarked, ExtentOpened, ExtentSampled, FileId, MappingChange, MappingChanged, MmId,
    RangeIn,
};

use crate::limits;

use super::extent::{ExtentState, Hit, Moment};
use super::extent_index::{ExtentIndex, in_file, in_memory, overlap};
use super::extent_slots::ExtentSlots;
use super::ranges::Ranges;

/// The bytes of one extent that were unmapped from the address, or removed from the file offset, where they were
/// pinned. Ranges are relative to the start of the extent.
#[derive(Clone, Debug, Default)]
struct Unmapped {
    memory: Ranges,
    file: Ranges,
}

/// All open extents, and the latest closed ones. An extent may arrive before its account.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExtentTable {
    by_id: ExtentSlots,
    by_account: BTreeSet<(AccountId, ExtentId)>,
    by_location: ExtentIndex,
    by_file: BTreeMap<FileId, BTreeSet<ExtentId>>,
    unmapped: BTreeMap<ExtentId, Unmapped>,
    /// Extents whose mm exited, by `outlives_from`, until [`ExtentTable::take_outliving`] returns them.
    outliving: BTreeSet<(Nanos, ExtentId)>,
    /// Open extents of which an uncertain finding says that they outlive their mm.
    may_outlive: BTreeSet<ExtentId>,
    /// The latest closed extents, oldest first.
    closed: VecDeque<ExtentState>,
}

impl ExtentTable {
    /// Returns the number of extents, open and closed.
    pub(super) fn number(&self) -> usize {
        self.by_account.len() + self.closed.len()
    }

    /// Opens an extent, and returns the extent; `None` if there is no room. The caller has closed an earlier extent with
    /// the same id.
    pub(super) fn open(&mut self, time: Nanos, opened: ExtentOpened) -> Option<&mut ExtentState> {
        if !self.by_id.has_room(opened.extent) {
            return None;
        }
        self.by_account.insert((opened.account, opened.extent));
        if !opened.file.is_none() {
            self.by_file.entry(opened.file).or_default().insert(opened.extent);
        }
        let state = ExtentState::opened(time, opened);
        for location in state.locations() {
            self.by_location.insert(&location, opened.extent);
        }
        Some(self.by_id.insert(opened.extent, state))
    }

    /// Takes a new sample of an extent, and returns the extent; `None` if the extent is not open.
    pub(super) fn sample(&mut self, time: Nanos, sample: &ExtentSampled) -> Option<&mut ExtentState> {
        let state = self.by_id.get_mut(sample.extent)?;
        state.sampled = time;
        state.opened.end = sample.end;
        state.opened.pages = sample.pages;
        state.opened.bytes_held = sample.bytes_held;
        state.opened.stack = sample.stack.or(state.opened.stack);
        state.pages_held = sample.pages_held;
        for location in state.locations() {
            self.by_location.grow(&location);
        }
        Some(state)
    }

    /// Notes that less is known about an extent, and returns the extent; `None` if the extent is not open.
    pub(super) fn mark(&mut self, time: Nanos, marked: ExtentMarked) -> Option<&mut ExtentState> {
        let state = self.by_id.get_mut(marked.extent)?;
        if marked.partially_released {
            state.partially_released = state.partially_released.or_at(time);
        }
        state.ambiguous_owner |= marked.ambiguous_owner;
        state.areas_unknown |= marked.areas_unknown;
        Some(state)
    }

    /// Notes the parts of the hits that the change unmapped. A page that was removed from its file is unmapped
    /// everywhere.
    pub(crate) fn unmap(&mut self, change: &MappingChanged, hits: &[Hit]) {
        for hit in hits {
            let location = hit
                .extent
                .locations()
                .find(|location| location.within == change.within);
            let in_file = hit.extent.opened.address_space != AddressSpaceId(0);
            let Some(start) = location.map(|location| location.range.start) else {
                continue;
            };
            if !unmaps(change.what, in_file) {
                continue;
            }
            let unmapped = self.unmapped.entry(hit.extent.opened.extent).or_default();
            for part in &hit.parts {
                let part = part.start - start..part.end - start;
                if let RangeIn::AddressSpace(_) = change.within {
                    unmapped.file.add(part.clone());
                }
                unmapped.memory.add(part);
            }
        }
    }

    /// Ends an extent and returns its state; `None` if the extent is not open.
    pub(super) fn close(&mut self, extent: ExtentId) -> Option<ExtentState> {
        let state = self.by_id.remove(extent)?;
        self.by_account.remove(&(state.opened.account, extent));
        if let Entry::Occupied(mut of_file) = self.by_file.entry(state.opened.file) {
            of_file.get_mut().remove(&extent);
            if of_file.get().is_empty() {
                of_file.remove();
            }
        }
        self.unmapped.remove(&extent);
        self.may_outlive.remove(&extent);
        for location in state.locations() {
            self.by_location.remove(&location, extent);
        }
        if let Some(from) = state.outlives_from.get() {
            self.outliving.remove(&(from, extent));
        }
        if self.closed.len() >= limits::CLOSED_EXTENTS {
            self.closed.pop_front();
        }
        self.closed.push_back(state);
        Some(state)
    }

    /// Returns an open extent.
    pub(crate) fn get(&self, extent: ExtentId) -> Option<&ExtentState> {
        self.by_id.get(extent)
    }

    pub(crate) fn get_mut(&mut self, extent: ExtentId) -> Option<&mut ExtentState> {
        self.by_id.get_mut(extent)
    }

    /// Returns all open extents.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut ExtentState> {
        self.by_id.all_mut()
    }

    /// Calls `each` for each open extent of an account.
    pub(crate) fn each_of(&mut self, account: AccountId, mut each: impl FnMut(&mut ExtentState)) {
        let of_account = (account, ExtentId(0))..=(account, ExtentId(u32::MAX));
        for (_, extent) in self.by_account.range(of_account) {
            if let Some(state) = self.by_id.get_mut(*extent) {
                each(state);
            }
        }
    }

    /// Returns the open extents of an account.
    pub(crate) fn of(&self, account: AccountId) -> impl Iterator<Item = &ExtentState> {
        self.by_account
            .range((account, ExtentId(0))..=(account, ExtentId(u32::MAX)))
            .filter_map(|(_, extent)| self.by_id.get(*extent))
    }

    /// Returns the number of pages that the extents of an account hold.
    pub(crate) fn pages_held(&self, account: AccountId) -> u64 {
        self.of(account)
            .fold(0, |sum, extent| sum.saturating_add(extent.pages_held))
    }

    /// Returns the extent of an account with a first address and an opening time, open or closed lately.
    pub(crate) fn find(&self, account: AccountId, address: u64, since: Nanos) -> Option<ExtentState> {
        let is_it = |state: &&ExtentState| {
            let opened = &state.opened;
            (opened.account, opened.address, state.since) == (account, address, since)
        };
        let closed = || self.closed.iter().rev().find(is_it);
        self.of(account).find(is_it).or_else(closed).copied()
    }

    /// Returns the extents that held pages of a changed range before the change.
    pub(crate) fn changed(&self, time: Nanos, change: &MappingChanged) -> Vec<Hit> {
        if matches!(
            change.within,
            RangeIn::Mm(MmId(0)) | RangeIn::AddressSpace(AddressSpaceId(0))
        ) {
            return Vec::new();
        }
        let mut hits = self.overlapping(change.within, &(change.address..change.end));
        hits.retain(|hit| hit.extent.since < time && hit.extent.pages_held > 0);
        hits
    }

    /// Returns the extents that hold a part of a range.
    fn overlapping(&self, within: RangeIn, range: &Range<u64>) -> Vec<Hit> {
        let hit = |extent: ExtentId| {
            let state = self.by_id.get(extent)?;
            let location = state.locations().find(|location| location.within == within)?;
            let shared = overlap(&location.range, range)?;
            let start = location.range.start;
            let parts = match self.unmapped.get(&extent) {
                None => vec![shared],
                Some(unmapped) => {
                    let unmapped = match within {
                        RangeIn::Mm(_) => &unmapped.memory,
                        RangeIn::AddressSpace(_) => &unmapped.file,
                    };
                    let left = unmapped.without(&(shared.start - start..shared.end - start));
                    left.into_iter()
                        .map(|part| part.start + start..part.end + start)
                        .collect()
                }
            };
            (!parts.is_empty()).then_some(Hit {
                extent: *state,
                parts,
            })
        };
        self.by_location.near(within, range).filter_map(hit).collect()
    }

    /// Marks the extents of an mm that exited, and removes the extents from the index: the kernel may reuse the address
    /// of the mm.
    pub(crate) fn mm_exited(&mut self, time: Nanos, mm: MmId) -> bool {
        let all: Vec<_> = self.by_location.of(RangeIn::Mm(mm)).collect();
        for extent in all {
            let Some(state) = self.by_id.get_mut(extent) else {
                continue;
            };
            if let Some(location) = in_memory(&state.opened) {
                self.by_location.remove(&location, extent);
            }
            state.mm_exited = Moment::at(time);
            state.outlives_from = Moment::at(time);
            self.outliving
                .extend(state.outlives_from.get().map(|from| (from, extent)));
        }
        true
    }

    /// Marks the extents that were pinned through an open file whose last reference is gone. Extents that were opened
    /// later belong to another file at the same address. Calls `each` for each marked extent.
    pub(super) fn file_released(
        &mut self,
        time: Nanos,
        file: FileId,
        mut each: impl FnMut(&mut ExtentState),
    ) {
        for extent in self.by_file.get(&file).into_iter().flatten() {
            if let Some(state) = self.by_id.get_mut(*extent)
                && state.since <= time
            {
                state.file_released = state.file_released.or_at(time);
                each(state);
            }
        }
    }

    /// Marks the extents of a freed address_space, and removes the extents from the index: the kernel may reuse its
    /// address.
    pub(crate) fn address_space_freed(&mut self, file: AddressSpaceId) -> bool {
        let all: Vec<_> = self.by_location.of(RangeIn::AddressSpace(file)).collect();
        for extent in all {
            let Some(state) = self.by_id.get_mut(extent) else {
                continue;
            };
            if let Some(location) = in_file(&state.opened) {
                self.by_location.remove(&location, extent);
            }
            state.file_freed = true;
        }
        true
    }

    /// Moves the time from which on an extent outlives its mm. [`Self::take_outliving`] then returns the extent again.
    pub(crate) fn outlives_from(&mut self, extent: ExtentId, from: Nanos) {
        if let Some(state) = self.by_id.get_mut(extent) {
            state.outlives_from = Moment::at(from);
            self.outliving
                .extend(state.outlives_from.get().map(|from| (from, extent)));
        }
    }

    /// Notes that an uncertain finding says that an open extent outlives its mm. Returns true if this is new.
    pub(crate) fn may_outlive(&mut self, extent: ExtentId) -> bool {
        self.may_outlive.insert(extent)
    }

    /// Returns the open extents that outlive their mm since `ago` before `now` or earlier, each extent once.
    pub(crate) fn take_outliving(&mut self, now: Nanos, ago: Nanos) -> Vec<ExtentState> {
        let Some(until) = now.0.checked_sub(ago.0) else {
            return Vec::new();
        };
        let later = (Nanos(until.saturating_add(1)), ExtentId(0));
        let rest = self.outliving.split_off(&later);
        let due = std::mem::replace(&mut self.outliving, rest);
        due.iter()
            .filter_map(|(_, extent)| self.by_id.get(*extent).copied())
            .collect()
    }
}

/// Returns true if the change unmaps pages for good. `MADV_DONTNEED` on file memory does not: the next access maps the
/// same page.
fn unmaps(change: MappingChange, in_file: bool) -> bool {
    match change {
        MappingChange::Munmap
        | MappingChange::MmapOver
        | MappingChange::Mremap
        | MappingChange::Brk
        | MappingChange::Unmap
        | MappingChange::GuardInstall
        | MappingChange::Truncate => true,
        MappingChange::Dontneed => !in_file,
        MappingChange::Free
        | MappingChange::Mprotect
        | MappingChange::UffdWp
        | MappingChange::SoftDirty
        | MappingChange::Fork => false,
    }
}
