//! Follows the extents of long-term pins: each told once, sampled when it changed, closed once.

use pintrace_common::ledger::Extent;

use pintrace_events::units::{ExtentId, Nanos, Pid};
use pintrace_events::{
    AddressSpaceId, Body, ExtentClosed, ExtentOpened, ExtentPartiallyReleased, ExtentSampled, MmId,
};
use pintrace_source::ledger::{Ledger, LedgerError};

use super::tracker::Tracker;

/// Why an extent is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Time passed.
    Tick,
    /// It is the last time: nothing is waited for.
    End,
    /// Somebody touched its mapping.
    MappingChange,
}

impl Tracker {
    /// Tells extents whose opening record was lost. Reads the whole table: only after loss.
    pub fn resync(&mut self, now: Nanos, ledger: &Ledger) -> Result<(), LedgerError> {
        for index in ledger.extent_indices()? {
            let extent = ledger.extent(index)?;
            let known = self.extents.get(&index).map(|emitted| emitted.opened_ns);
            if known.is_some() && (extent.pages_held == 0 || known != Some(extent.opened_ns)) {
                self.forget_extent(now, index);
            }
            if extent.pages_held != 0 && extent.pages != 0 && known != Some(extent.opened_ns) {
                self.open_extent(now, index, &extent, ledger)?;
            }
        }
        Ok(())
    }

    /// Tells an extent for the first time.
    pub(super) fn open_extent(
        &mut self,
        time: Nanos,
        index: u32,
        extent: &Extent,
        ledger: &Ledger,
    ) -> Result<(), LedgerError> {
        let account = ledger.account(extent.account)?;
        let account = self.open_account(extent.account, &account, ledger);
        let mut named = Vec::new();
        let stack = self.names.stack(extent.stack, |id| ledger.stack(id), &mut named);
        self.push_all(time, named);
        let opened = ExtentOpened {
            extent: ExtentId(index),
            account,
            address: extent.address,
            end: extent.end,
            pages: extent.pages,
            bytes_held: extent.bytes_held,
            flags: extent.flags & !Extent::INEXACT_MARKS,
            stack,
            mm: MmId(extent.mm),
            address_space: AddressSpaceId(extent.address_space),
            file_offset: extent.file_offset,
        };
        self.push(time, Body::ExtentOpened(opened));
        self.changing.begins(index, extent);
        self.extents.insert(
            index,
            Extent {
                pages_held: extent.pages,
                flags: extent.flags & !Extent::INEXACT_MARKS,
                ..*extent
            },
        );
        self.emit_partial_release(time, index, extent.flags & Extent::INEXACT_MARKS);
        Ok(())
    }

    /// Tells how an extent is if that has changed; on a touch in any case.
    pub(super) fn sample_extent(
        &mut self,
        now: Nanos,
        occasion: Occasion,
        index: u32,
        extent: &Extent,
        ledger: &Ledger,
    ) {
        // What was pinned since the ring was read may have come after a touch that is still in it.
        let early = occasion == Occasion::Tick && extent.grown_ns > self.read.0;
        if early
            && self
                .extents
                .get(&index)
                .is_some_and(|emitted| emitted.end != extent.end)
        {
            return;
        }
        self.changing.seen(now, index, extent);
        let Some(emitted) = self.extents.get_mut(&index) else {
            return;
        };
        // One that has closed, or closed and been opened anew, has its records still in the ring.
        if emitted.opened_ns != extent.opened_ns || extent.pages_held == 0 {
            return;
        }
        let age = Nanos(now.0.saturating_sub(extent.opened_ns));
        let late = self
            .late_stacks
            .update(&mut emitted.stack, extent.stack, age, occasion == Occasion::End);
        let changed = (emitted.end, emitted.pages, emitted.pages_held, emitted.bytes_held)
            != (extent.end, extent.pages, extent.pages_held, extent.bytes_held);
        if !changed && late.is_none() && occasion != Occasion::MappingChange {
            return;
        }
        *emitted = Extent {
            stack: emitted.stack,
            flags: emitted.flags,
            ..*extent
        };
        let sampled = ExtentSampled {
            extent: ExtentId(index),
            end: extent.end,
            pages: extent.pages,
            pages_held: extent.pages_held,
            bytes_held: extent.bytes_held,
            stack: self.late_stack(now, late, ledger),
        };
        self.push(now, Body::ExtentSampled(sampled));
        // The record of it may have been lost.
        self.emit_partial_release(now, index, extent.flags & Extent::INEXACT_MARKS);
    }

    /// Tells that an extent is not whole any more, once for each mark.
    pub(super) fn emit_partial_release(&mut self, time: Nanos, index: u32, marks: u32) {
        let Some(emitted) = self.extents.get_mut(&index) else {
            return;
        };
        if emitted.flags & marks == marks {
            return;
        }
        emitted.flags |= marks;
        self.changing.partially_released(index, emitted);
        let partially_released = ExtentPartiallyReleased {
            extent: ExtentId(index),
            ambiguous_owner: emitted.flags & Extent::AMBIGUOUS_OWNER != 0,
        };
        self.push(time, Body::ExtentPartiallyReleased(partially_released));
    }

    /// Tells the end of an extent.
    pub(super) fn close_extent(&mut self, closed: &pintrace_common::wire::ExtentClosed) {
        let index = closed.header.id;
        let Some(emitted) = self.extents.remove(&index) else {
            return;
        };
        self.changing.ends(index, &emitted);
        let body = ExtentClosed {
            extent: ExtentId(index),
            pages: closed.extent.pages,
            end: closed.extent.end,
            by: Pid((closed.pid_tgid >> 32) as u32),
        };
        self.push(Nanos(closed.header.time_ns), Body::ExtentClosed(body));
    }

    /// Closes an extent whose closing record was lost.
    fn forget_extent(&mut self, now: Nanos, index: u32) {
        if let Some(emitted) = self.extents.remove(&index) {
            self.changing.ends(index, &emitted);
            let body = ExtentClosed {
                extent: ExtentId(index),
                pages: emitted.pages,
                end: emitted.end,
                by: Pid(0),
            };
            self.push(now, Body::ExtentClosed(body));
        }
    }
}
