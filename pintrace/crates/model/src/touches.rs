//! Mappings that are changed under pins, and address spaces that end before them.

use std::collections::BTreeMap;

use pintrace_events::units::Nanos;
use pintrace_events::{Space, Touch, Touched};

use super::evidence::{PinState, TouchState};
use super::extent::{ExtentState, Hit};
use super::finding::{FindingKind, TouchKind};
use super::findings::{Found, Key, Subject};
use super::fold::Model;
use super::place::Place;
use super::verdict;

/// A pin may be this much longer there than its address space: io_uring frees registered buffers in a worker after
/// its process has ended (`io_ring_exit_work`).
const OUTLIVED_AFTER: Nanos = Nanos(1_000_000_000);

/// One touch that may concern several pins.
struct Spread {
    /// Pages that the kernel has counted; none where it does not count.
    counted: Option<u64>,
    /// What it was counted under, and how many pages are left of those that the kernel has counted.
    left: BTreeMap<Key, u64>,
}

impl Spread {
    /// Takes so many of the pages for a finding, or as many as are left; and whether that is its first time.
    fn take(&mut self, key: Key, most: u64) -> (u64, bool) {
        let first = !self.left.contains_key(&key);
        let left = self.left.entry(key).or_insert(self.counted.unwrap_or(u64::MAX));
        let pages = most.min(*left);
        *left -= pages;
        (pages, first)
    }
}

/// Whether the pages lie no more there afterwards. A file's page that was only unmapped is mapped again.
fn takes_away(touch: Touch, in_file: bool) -> bool {
    match touch {
        Touch::Munmap | Touch::MmapOver | Touch::Mremap | Touch::Brk | Touch::Unmap | Touch::Truncate => true,
        Touch::Dontneed => !in_file,
        Touch::Free | Touch::Mprotect | Touch::UffdWp | Touch::SoftDirty | Touch::Fork => false,
    }
}

impl Model {
    /// Finds the pins whose mapping was changed.
    pub(super) fn touched(&mut self, time: Nanos, touched: &Touched) {
        if touched.space == Space(0) {
            return;
        }
        let place = match touched.what {
            Touch::Truncate => Place::File(touched.space),
            _ => Place::Memory(touched.space),
        };
        let mut spread = Spread {
            counted: (touched.pages > 0).then_some(touched.pages),
            left: BTreeMap::new(),
        };
        for hit in self.extents.overlapping(place, &(touched.address..touched.end)) {
            let ExtentState {
                since,
                pages_held,
                opened,
                ..
            } = &hit.extent;
            if *since >= time || *pages_held == 0 {
                continue;
            }
            let in_file = opened.file != Space(0);
            self.pin_touched(time, touched, &hit, &mut spread);
            if takes_away(touched.what, in_file) {
                self.extents.gone(place, &hit);
            }
        }
    }

    fn pin_touched(&mut self, time: Nanos, touched: &Touched, hit: &Hit, spread: &mut Spread) {
        let extent = &hit.extent;
        let account = self.accounts.get(extent.opened.account);
        let holder = self.holder(account);
        let kind = match touched.what {
            Touch::Fork => FindingKind::ForkCopiedPinned,
            _ => FindingKind::MappingTouched,
        };
        let most = self.pages_hit(hit);
        // What fork has copied was pinned.
        let sure = if touched.what == Touch::Fork {
            most
        } else {
            self.pages_surely_hit(time, touched, hit)
        };
        let (verdict, most) = if sure == 0 {
            (&verdict::PERHAPS, most)
        } else {
            let exclusive = self.keeps_exclusive_pages();
            let file = extent.opened.file != Space(0);
            (verdict::of_touch(touched.what, exclusive, file), sure)
        };
        let key = Key {
            kind,
            touch: Some(TouchKind::Mapping(touched.what)),
            pid: holder.pid,
            subject: Subject::Account(extent.opened.account),
            certain: sure > 0,
        };
        let (pages, first) = spread.take(key, most);
        // The kernel changed no more of them than other pins have had.
        if pages == 0 {
            return;
        }
        let fresh = Found {
            verdict,
            holder,
            address: hit.parts.first().map_or(0, |part| part.start),
            end: hit.parts.last().map_or(0, |part| part.end),
            pages,
            count: 1,
            first: time,
            last: time,
            pin: Some(PinState::of_extent(extent, account, time)),
            touch: Some(TouchState::of_mapping(touched)),
        };
        let found = match self.findings.get(&key) {
            Some(before) => self.again(before.clone(), &fresh, u64::from(first)),
            None => fresh,
        };
        self.findings.put(key, found);
    }

    /// Pages of what was hit that may be pinned.
    fn pages_hit(&self, hit: &Hit) -> u64 {
        // One pin keeps all of a large folio.
        let kept = self
            .pages_of(&(0..hit.extent.opened.bytes_held))
            .max(hit.extent.pages_held);
        let parts = hit.parts.iter().map(|part| self.pages_of(part));
        parts.fold(0, u64::saturating_add).min(kept)
    }

    /// Pages of what was hit that were pinned for sure: once some were released, as many as find no room in the rest.
    fn pages_surely_hit(&self, time: Nanos, touched: &Touched, hit: &Hit) -> u64 {
        if hit.extent.doubtful || touched.doubtful {
            return 0;
        }
        let most = self.pages_hit(hit);
        if hit.extent.shrinks.is_none() {
            return most;
        }
        // An older sample may have had more than there was at the touch; a later one has less.
        if hit.extent.sampled < time {
            return 0;
        }
        let opened = &hit.extent.opened;
        let all = self.pages_of(&(opened.address..opened.end));
        let parts = hit.parts.iter().map(|part| self.pages_of(part));
        let parts = parts.fold(0, u64::saturating_add);
        // One pin may keep a large folio in place of which the rest is not pinned: only pins count.
        let held = hit.extent.pages_held.min(all);
        held.saturating_add(parts).saturating_sub(all).min(most)
    }

    /// The same once more: the first evidence stays, unless this one is worse.
    fn again(&self, before: Found, fresh: &Found, times: u64) -> Found {
        let (address, end) = (before.address.min(fresh.address), before.end.max(fresh.end));
        let pages = before.pages.saturating_add(fresh.pages);
        let worse = fresh.verdict.severity > before.verdict.severity;
        let (pin, touch) = if worse {
            (fresh.pin.clone(), fresh.touch.clone())
        } else {
            (before.pin, before.touch)
        };
        Found {
            verdict: if worse { fresh.verdict } else { before.verdict },
            pin,
            touch,
            address,
            end,
            pages: pages.min(self.pages_of(&(address..end))),
            count: before.count.saturating_add(times),
            first: before.first.min(fresh.first),
            last: before.last.max(fresh.last),
            ..before
        }
    }

    /// Finds the pins whose address space ended long enough ago.
    pub(super) fn find_bereft(&mut self) {
        let Some(until) = self.time.0.checked_sub(OUTLIVED_AFTER.0) else {
            return;
        };
        for extent in self.extents.take_bereft(Nanos(until)) {
            let Some(ended) = extent.bereft else { continue };
            let account = self.accounts.get(extent.opened.account);
            let found = Found {
                verdict: &verdict::OUTLIVES,
                holder: self.holder(account),
                address: extent.opened.address,
                end: extent.opened.end,
                pages: extent.pages_held,
                count: 1,
                first: ended,
                last: self.time,
                pin: Some(PinState::of_extent(&extent, account, self.time)),
                touch: None,
            };
            let key = self.outlives(&extent);
            let found = match self.findings.get(&key) {
                Some(before) => self.again(before.clone(), &found, 1),
                None => found,
            };
            self.findings.put(key, found);
        }
    }

    /// An extent was closed: if it was found to outlive its address space, it did so until now.
    pub(super) fn bereft_closed(&mut self, time: Nanos, extent: &ExtentState) {
        if extent.bereft.is_some() {
            let key = self.outlives(extent);
            self.findings.lasted(&key, time);
        }
    }

    fn outlives(&self, extent: &ExtentState) -> Key {
        Key {
            kind: FindingKind::PinOutlivesMm,
            touch: None,
            pid: self.holder(self.accounts.get(extent.opened.account)).pid,
            subject: Subject::Account(extent.opened.account),
            certain: true,
        }
    }
}
