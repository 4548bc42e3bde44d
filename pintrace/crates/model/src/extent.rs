//! The long-term extents that are open, by id, by account and by where they lie.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use pintrace_events::units::{AccountId, ExtentId, Nanos};
use pintrace_events::{AddressSpaceId, ExtentOpened, ExtentPartiallyReleased, ExtentSampled, MmId};

use super::extent_index::{ExtentIndex, Location, RangeIn, in_file, in_memory, overlap};
use super::limits;
use super::ranges::Ranges;

/// One open extent.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExtentState {
    /// As it was opened, with `end`, `pages` and `bytes_held` brought up to date.
    pub(super) opened: ExtentOpened,
    /// When.
    pub(super) since: Nanos,
    /// Pages held now.
    pub(super) pages_held: u64,
    /// When its first page was released, if others were left: which ones is not known since.
    pub(super) partially_released: Option<Nanos>,
    /// How many are left is not known either.
    pub(super) ambiguous_owner: bool,
    /// When `opened` was brought up to date: that much is held, or was.
    pub(super) sampled: Nanos,
    /// When its address space ended, if it did.
    pub(super) mm_exited: Option<Nanos>,
    /// Its file is gone, if it is a file's.
    pub(super) file_gone: bool,
}

/// What an extent has of a range.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) extent: ExtentState,
    /// The parts, in the same terms as the range; not empty.
    pub(super) parts: Vec<Range<u64>>,
}

/// Which bytes of an extent lie no more where it was pinned.
#[derive(Clone, Debug, Default)]
struct Gone {
    memory: Ranges,
    file: Ranges,
}

impl ExtentState {
    fn places(&self) -> impl Iterator<Item = Location> {
        let memory = in_memory(&self.opened).filter(|_| self.mm_exited.is_none());
        let file = in_file(&self.opened).filter(|_| !self.file_gone);
        memory.into_iter().chain(file)
    }
}

/// All open extents. An extent whose account is unknown waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct ExtentTable {
    by_id: BTreeMap<ExtentId, ExtentState>,
    by_account: BTreeSet<(AccountId, ExtentId)>,
    by_location: ExtentIndex,
    gone: BTreeMap<ExtentId, Gone>,
    /// Those whose address space ended, by the time of that; until they are told of.
    mm_exited: BTreeSet<(Nanos, ExtentId)>,
    /// The latest that were closed, oldest first.
    closed: VecDeque<ExtentState>,
}

impl ExtentTable {
    /// Opens an extent; ids are used again, so one that is still open under this id is over.
    /// False when there is no room.
    pub(super) fn open(&mut self, time: Nanos, opened: ExtentOpened) -> bool {
        self.close(opened.extent);
        if self.by_id.len() >= limits::EXTENTS {
            return false;
        }
        self.by_account.insert((opened.account, opened.extent));
        let state = ExtentState {
            opened,
            since: time,
            pages_held: opened.pages,
            partially_released: None,
            ambiguous_owner: false,
            sampled: time,
            mm_exited: None,
            file_gone: false,
        };
        for location in state.places() {
            self.by_location.insert(&location, opened.extent);
        }
        self.by_id.insert(opened.extent, state);
        true
    }

    /// Updates an extent; false when it was never opened.
    pub(super) fn sample(&mut self, time: Nanos, sample: &ExtentSampled) -> bool {
        let Some(state) = self.by_id.get_mut(&sample.extent) else {
            return false;
        };
        state.sampled = time;
        state.opened.end = sample.end;
        state.opened.pages = sample.pages;
        state.opened.bytes_held = sample.bytes_held;
        state.opened.stack = sample.stack.or(state.opened.stack);
        state.pages_held = sample.pages_held;
        for location in state.places() {
            self.by_location.grow(&location);
        }
        true
    }

    /// Notes that pages were released; false when the extent was never opened.
    pub(super) fn partially_released(
        &mut self,
        time: Nanos,
        partially_released: ExtentPartiallyReleased,
    ) -> bool {
        let Some(state) = self.by_id.get_mut(&partially_released.extent) else {
            return false;
        };
        state.partially_released = state.partially_released.or(Some(time));
        state.ambiguous_owner |= partially_released.ambiguous_owner;
        true
    }

    /// Notes that the parts of a hit lie no more where they were. What is no more in the file is in no memory of it.
    pub(super) fn gone(&mut self, within: RangeIn, hit: &Hit) {
        let Some(location) = hit.extent.places().find(|location| location.within == within) else {
            return;
        };
        let gone = self.gone.entry(hit.extent.opened.extent).or_default();
        for part in &hit.parts {
            let part = part.start - location.range.start..part.end - location.range.start;
            if let RangeIn::AddressSpace(_) = within {
                gone.file.add(part.clone());
            }
            gone.memory.add(part);
        }
    }

    /// Ends an extent and gives it; `None` when it was never opened.
    pub(super) fn close(&mut self, extent: ExtentId) -> Option<ExtentState> {
        let state = self.by_id.remove(&extent)?;
        self.by_account.remove(&(state.opened.account, extent));
        self.gone.remove(&extent);
        for location in state.places() {
            self.by_location.remove(&location, extent);
        }
        if let Some(ended) = state.mm_exited {
            self.mm_exited.remove(&(ended, extent));
        }
        if self.closed.len() >= limits::CLOSED_EXTENTS {
            self.closed.pop_front();
        }
        self.closed.push_back(state);
        Some(state)
    }

    /// An open extent.
    pub(super) fn get(&self, extent: ExtentId) -> Option<&ExtentState> {
        self.by_id.get(&extent)
    }

    /// The open extents of an account.
    pub(super) fn of(&self, account: AccountId) -> impl Iterator<Item = &ExtentState> {
        self.by_account
            .range((account, ExtentId(0))..=(account, ExtentId(u32::MAX)))
            .filter_map(|(_, extent)| self.by_id.get(extent))
    }

    /// Pages that an account's extents hold.
    pub(super) fn pages_held(&self, account: AccountId) -> u64 {
        self.of(account)
            .fold(0, |sum, extent| sum.saturating_add(extent.pages_held))
    }

    /// An account's extent by its first address and the moment it was opened; also one that was closed lately.
    pub(super) fn find(&self, account: AccountId, address: u64, since: Nanos) -> Option<ExtentState> {
        let is_it = |state: &&ExtentState| {
            let opened = &state.opened;
            (opened.account, opened.address, state.since) == (account, address, since)
        };
        let closed = || self.closed.iter().rev().find(is_it);
        self.of(account).find(is_it).or_else(closed).copied()
    }

    /// The extents that hold something of a range, with what of it.
    pub(super) fn overlapping(&self, within: RangeIn, range: &Range<u64>) -> Vec<Hit> {
        let hit = |extent: ExtentId| {
            let state = self.by_id.get(&extent)?;
            let location = state.places().find(|location| location.within == within)?;
            let shared = overlap(&location.range, range)?;
            let start = location.range.start;
            let parts = match self.gone.get(&extent) {
                None => vec![shared],
                Some(gone) => {
                    let gone = match within {
                        RangeIn::Mm(_) => &gone.memory,
                        RangeIn::AddressSpace(_) => &gone.file,
                    };
                    let left = gone.without(&(shared.start - start..shared.end - start));
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

    /// Marks the extents of an address space that has ended. No later one is taken for it.
    pub(super) fn end_mm(&mut self, time: Nanos, mm: MmId) {
        let all: Vec<_> = self.by_location.of(RangeIn::Mm(mm)).collect();
        for extent in all {
            let Some(state) = self.by_id.get_mut(&extent) else {
                continue;
            };
            if let Some(location) = in_memory(&state.opened) {
                self.by_location.remove(&location, extent);
            }
            state.mm_exited = Some(time);
            self.mm_exited.insert((time, extent));
        }
    }

    /// A file is gone: no later one is taken for it.
    pub(super) fn end_address_space(&mut self, file: AddressSpaceId) {
        let all: Vec<_> = self.by_location.of(RangeIn::AddressSpace(file)).collect();
        for extent in all {
            let Some(state) = self.by_id.get_mut(&extent) else {
                continue;
            };
            if let Some(location) = in_file(&state.opened) {
                self.by_location.remove(&location, extent);
            }
            state.file_gone = true;
        }
    }

    /// Takes the open extents whose address space ended no later than `until`: each comes once.
    pub(super) fn take_mm_exited(&mut self, until: Nanos) -> Vec<ExtentState> {
        let later = (Nanos(until.0.saturating_add(1)), ExtentId(0));
        let rest = if until.0 == u64::MAX {
            BTreeSet::new()
        } else {
            self.mm_exited.split_off(&later)
        };
        let due = std::mem::replace(&mut self.mm_exited, rest);
        due.iter()
            .filter_map(|(_, extent)| self.by_id.get(extent).copied())
            .collect()
    }
}
