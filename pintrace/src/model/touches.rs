//! Mappings that are changed under pins, and address spaces that end before them.

use std::ops::Range;

use crate::event::{Space, Touch, Touched};
use crate::units::Nanos;

use super::evidence::{PinState, TouchState};
use super::extent::ExtentState;
use super::finding::{FindingKind, TouchKind};
use super::findings::{Found, Key, Subject};
use super::fold::Model;
use super::place::Place;
use super::verdict;

/// A pin may be this much longer there than its address space: io_uring frees registered buffers in a worker after
/// its process has ended (`io_ring_exit_work`).
const OUTLIVED_AFTER: Nanos = Nanos(1_000_000_000);

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
        for (extent, shared) in self.extents.overlapping(place, &(touched.address..touched.end)) {
            if extent.since < time && extent.pages_held > 0 {
                self.pin_touched(time, touched, &extent, shared);
            }
        }
    }

    fn pin_touched(&mut self, time: Nanos, touched: &Touched, extent: &ExtentState, shared: Range<u64>) {
        let account = self.accounts.get(extent.opened.account);
        let holder = self.holder(account);
        let kind = match touched.what {
            Touch::Fork => FindingKind::ForkCopiedPinned,
            _ => FindingKind::MappingTouched,
        };
        let key = Key {
            kind,
            touch: Some(TouchKind::Mapping(touched.what)),
            pid: holder.pid,
            subject: Subject::Extent(extent.opened.extent, extent.since),
        };
        // Pages may have been released from anywhere in the extent. One pin keeps all of a large folio.
        let kept = self
            .pages_of(&(0..extent.opened.bytes_held))
            .max(extent.pages_held);
        let most = self.pages_of(&shared).min(kept);
        let pages = match touched.pages {
            0 => most,
            counted => counted.min(most),
        };
        let exclusive = self.keeps_exclusive_pages();
        let fresh = Found {
            verdict: verdict::of_touch(touched.what, exclusive, extent.opened.file != Space(0)),
            holder,
            address: shared.start,
            end: shared.end,
            pages,
            count: 1,
            first: time,
            last: time,
            pin: Some(PinState::of_extent(extent, account, time)),
            touch: Some(TouchState::of_mapping(touched)),
        };
        let found = match self.findings.get(&key) {
            Some(before) => self.again(before.clone(), &fresh),
            None => fresh,
        };
        self.findings.put(key, found);
    }

    /// The same once more: the first evidence stays.
    fn again(&self, before: Found, fresh: &Found) -> Found {
        let (address, end) = (before.address.min(fresh.address), before.end.max(fresh.end));
        let pages = before.pages.saturating_add(fresh.pages);
        Found {
            address,
            end,
            pages: pages.min(self.pages_of(&(address..end))),
            count: before.count.saturating_add(1),
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
            self.findings.put(self.outlives(&extent), found);
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
            subject: Subject::Extent(extent.opened.extent, extent.since),
        }
    }
}
