//! Mappings that are changed under pins, and address spaces that end before them.

use std::collections::BTreeMap;

use pintrace_events::units::Nanos;
use pintrace_events::{AddressSpaceId, MappingChange, MappingChanged, MmId};

use super::assessment;
use super::evidence::{PinState, TriggerState};
use super::extent::{ExtentState, Hit};
use super::extent_index::RangeIn;
use super::finding::{FindingKind, TriggerKind};
use super::findings::{FindingKey, FindingState, FindingSubject};
use super::fold::Model;

/// A pin may be this much longer there than its address space: io_uring frees registered buffers in a worker after
/// its process has ended (`io_ring_exit_work`).
const OUTLIVED_AFTER: Nanos = Nanos(1_000_000_000);

/// One touch that may concern several pins.
struct Spread {
    /// Pages that the kernel has counted; none where it does not count.
    counted: Option<u64>,
    /// What it was counted under, and how many pages are left of those that the kernel has counted.
    left: BTreeMap<FindingKey, u64>,
}

impl Spread {
    /// Takes so many of the pages for a finding, or as many as are left; and whether that is its first time.
    fn take(&mut self, key: FindingKey, most: u64) -> (u64, bool) {
        let first = !self.left.contains_key(&key);
        let left = self.left.entry(key).or_insert(self.counted.unwrap_or(u64::MAX));
        let pages = most.min(*left);
        *left -= pages;
        (pages, first)
    }
}

/// Whether the pages lie no more there afterwards. A file's page that was only unmapped is mapped again.
fn removes_mapping(trigger: MappingChange, in_file: bool) -> bool {
    match trigger {
        MappingChange::Munmap
        | MappingChange::MmapOver
        | MappingChange::Mremap
        | MappingChange::Brk
        | MappingChange::Unmap
        | MappingChange::Truncate => true,
        MappingChange::Dontneed => !in_file,
        MappingChange::Free
        | MappingChange::Mprotect
        | MappingChange::UffdWp
        | MappingChange::SoftDirty
        | MappingChange::Fork => false,
    }
}

impl Model {
    /// Finds the pins whose mapping was changed.
    pub(super) fn mapping_changed(&mut self, time: Nanos, change: &MappingChanged) {
        let within = change.within;
        if matches!(
            within,
            RangeIn::Mm(MmId(0)) | RangeIn::AddressSpace(AddressSpaceId(0))
        ) {
            return;
        }
        let mut spread = Spread {
            counted: (change.pages > 0).then_some(change.pages),
            left: BTreeMap::new(),
        };
        for hit in self.extents.overlapping(within, &(change.address..change.end)) {
            let ExtentState {
                since,
                pages_held,
                opened,
                ..
            } = &hit.extent;
            if *since >= time || *pages_held == 0 {
                continue;
            }
            let in_file = opened.address_space != AddressSpaceId(0);
            self.pin_affected(time, change, &hit, &mut spread);
            if removes_mapping(change.what, in_file) {
                self.extents.gone(within, &hit);
            }
        }
    }

    fn pin_affected(&mut self, time: Nanos, change: &MappingChanged, hit: &Hit, spread: &mut Spread) {
        let extent = &hit.extent;
        let account = self.accounts.get(extent.opened.account);
        let holder = self.holder(account);
        let kind = match change.what {
            MappingChange::Fork => FindingKind::ForkCopiedPinned,
            _ => FindingKind::MappingTouched,
        };
        let most = self.pages_hit(hit);
        // What fork has copied was pinned.
        let sure = if change.what == MappingChange::Fork {
            most
        } else {
            self.pages_certainly_hit(time, change, hit)
        };
        let (assessment, most) = if sure == 0 {
            (&assessment::UNCERTAIN, most)
        } else {
            let exclusive = self.keeps_exclusive_pages();
            let file = extent.opened.address_space != AddressSpaceId(0);
            (assessment::of_change(change.what, exclusive, file), sure)
        };
        let key = FindingKey {
            kind,
            trigger: Some(TriggerKind::Mapping(change.what)),
            pid: holder.pid,
            subject: FindingSubject::Account(extent.opened.account),
            certain: sure > 0,
        };
        let (pages, first) = spread.take(key, most);
        // The kernel changed no more of them than other pins have had.
        if pages == 0 {
            return;
        }
        let fresh = FindingState {
            assessment,
            holder,
            address: hit.parts.first().map_or(0, |part| part.start),
            end: hit.parts.last().map_or(0, |part| part.end),
            pages,
            count: 1,
            first: time,
            last: time,
            pin: Some(PinState::of_extent(extent, account, time)),
            trigger: Some(TriggerState::of_mapping(change)),
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
    fn pages_certainly_hit(&self, time: Nanos, change: &MappingChanged, hit: &Hit) -> u64 {
        if hit.extent.ambiguous_owner || change.after_loss {
            return 0;
        }
        let most = self.pages_hit(hit);
        if hit.extent.partially_released.is_none() {
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
    fn again(&self, before: FindingState, fresh: &FindingState, times: u64) -> FindingState {
        let (address, end) = (before.address.min(fresh.address), before.end.max(fresh.end));
        let pages = before.pages.saturating_add(fresh.pages);
        let worse = fresh.assessment.severity > before.assessment.severity;
        let (pin, trigger) = if worse {
            (fresh.pin.clone(), fresh.trigger.clone())
        } else {
            (before.pin, before.trigger)
        };
        FindingState {
            assessment: if worse {
                fresh.assessment
            } else {
                before.assessment
            },
            pin,
            trigger,
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
    pub(super) fn find_outliving(&mut self) {
        let Some(until) = self.time.0.checked_sub(OUTLIVED_AFTER.0) else {
            return;
        };
        for extent in self.extents.take_mm_exited(Nanos(until)) {
            let Some(ended) = extent.mm_exited else { continue };
            let account = self.accounts.get(extent.opened.account);
            let found = FindingState {
                assessment: &assessment::OUTLIVES,
                holder: self.holder(account),
                address: extent.opened.address,
                end: extent.opened.end,
                pages: extent.pages_held,
                count: 1,
                first: ended,
                last: self.time,
                pin: Some(PinState::of_extent(&extent, account, self.time)),
                trigger: None,
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
    pub(super) fn outliving_closed(&mut self, time: Nanos, extent: &ExtentState) {
        if extent.mm_exited.is_some() {
            let key = self.outlives(extent);
            self.findings.lasted(&key, time);
        }
    }

    fn outlives(&self, extent: &ExtentState) -> FindingKey {
        FindingKey {
            kind: FindingKind::PinOutlivesMm,
            trigger: None,
            pid: self.holder(self.accounts.get(extent.opened.account)).pid,
            subject: FindingSubject::Account(extent.opened.account),
            certain: true,
        }
    }
}
