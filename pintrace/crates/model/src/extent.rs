//! The long-term extents that are open, by id, by account and by where they lie.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use pintrace_events::units::{AccountId, ExtentId, Nanos};
use pintrace_events::{ExtentOpened, ExtentSampled, ExtentShrinks, Space};

use super::limits;
use super::place::{Lies, Place, PlaceIndex, in_file, in_memory, overlap};
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
    pub(super) shrinks: Option<Nanos>,
    /// How many are left is not known either.
    pub(super) doubtful: bool,
    /// When `opened` was brought up to date: that much is held, or was.
    pub(super) sampled: Nanos,
    /// When its address space ended, if it did.
    pub(super) bereft: Option<Nanos>,
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
    fn places(&self) -> impl Iterator<Item = Lies> {
        let memory = in_memory(&self.opened).filter(|_| self.bereft.is_none());
        let file = in_file(&self.opened).filter(|_| !self.file_gone);
        memory.into_iter().chain(file)
    }
}

/// All open extents. An extent whose account is unknown waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct ExtentTable {
    by_id: BTreeMap<ExtentId, ExtentState>,
    by_account: BTreeSet<(AccountId, ExtentId)>,
    by_place: PlaceIndex,
    gone: BTreeMap<ExtentId, Gone>,
    /// Those whose address space ended, by the time of that; until they are told of.
    bereft: BTreeSet<(Nanos, ExtentId)>,
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
            shrinks: None,
            doubtful: false,
            sampled: time,
            bereft: None,
            file_gone: false,
        };
        for lies in state.places() {
            self.by_place.insert(&lies, opened.extent);
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
        for lies in state.places() {
            self.by_place.grow(&lies);
        }
        true
    }

    /// Notes that pages were released; false when the extent was never opened.
    pub(super) fn shrinks(&mut self, time: Nanos, shrinks: ExtentShrinks) -> bool {
        let Some(state) = self.by_id.get_mut(&shrinks.extent) else {
            return false;
        };
        state.shrinks = state.shrinks.or(Some(time));
        state.doubtful |= shrinks.doubtful;
        true
    }

    /// Notes that the parts of a hit lie no more where they were. What is no more in the file is in no memory of it.
    pub(super) fn gone(&mut self, place: Place, hit: &Hit) {
        let Some(lies) = hit.extent.places().find(|lies| lies.place == place) else {
            return;
        };
        let gone = self.gone.entry(hit.extent.opened.extent).or_default();
        for part in &hit.parts {
            let part = part.start - lies.range.start..part.end - lies.range.start;
            if let Place::File(_) = place {
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
        for lies in state.places() {
            self.by_place.remove(&lies, extent);
        }
        if let Some(ended) = state.bereft {
            self.bereft.remove(&(ended, extent));
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
    pub(super) fn overlapping(&self, place: Place, range: &Range<u64>) -> Vec<Hit> {
        let hit = |extent: ExtentId| {
            let state = self.by_id.get(&extent)?;
            let lies = state.places().find(|lies| lies.place == place)?;
            let shared = overlap(&lies.range, range)?;
            let start = lies.range.start;
            let parts = match self.gone.get(&extent) {
                None => vec![shared],
                Some(gone) => {
                    let gone = match place {
                        Place::Memory(_) => &gone.memory,
                        Place::File(_) => &gone.file,
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
        self.by_place.near(place, range).filter_map(hit).collect()
    }

    /// Marks the extents of an address space that has ended. No later one is taken for it.
    pub(super) fn end_space(&mut self, time: Nanos, space: Space) {
        let all: Vec<_> = self.by_place.of(Place::Memory(space)).collect();
        for extent in all {
            let Some(state) = self.by_id.get_mut(&extent) else {
                continue;
            };
            if let Some(lies) = in_memory(&state.opened) {
                self.by_place.remove(&lies, extent);
            }
            state.bereft = Some(time);
            self.bereft.insert((time, extent));
        }
    }

    /// A file is gone: no later one is taken for it.
    pub(super) fn end_file(&mut self, file: Space) {
        let all: Vec<_> = self.by_place.of(Place::File(file)).collect();
        for extent in all {
            let Some(state) = self.by_id.get_mut(&extent) else {
                continue;
            };
            if let Some(lies) = in_file(&state.opened) {
                self.by_place.remove(&lies, extent);
            }
            state.file_gone = true;
        }
    }

    /// Takes the open extents whose address space ended no later than `until`: each comes once.
    pub(super) fn take_bereft(&mut self, until: Nanos) -> Vec<ExtentState> {
        let later = (Nanos(until.0.saturating_add(1)), ExtentId(0));
        let rest = if until.0 == u64::MAX {
            BTreeSet::new()
        } else {
            self.bereft.split_off(&later)
        };
        let due = std::mem::replace(&mut self.bereft, rest);
        due.iter()
            .filter_map(|(_, extent)| self.by_id.get(extent).copied())
            .collect()
    }
}
