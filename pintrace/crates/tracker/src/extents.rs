//! Follows the extents of long-term pins: emits the opening of each extent once, each change, and the end once.

use std::collections::BTreeSet;

use pintrace_common::ledger::{Extent, STACK_LATER};
use pintrace_common::mm_events::{MappingChanged, mapping_change};
use pintrace_common::wire;

use pintrace_events::units::{ExtentId, Nanos, Pid};
use pintrace_events::{
    AddressSpaceId, Body, ExtentClosed, ExtentMarked, ExtentOpened, ExtentSampled, FileId, MmId,
};
use pintrace_source::ledger::{ExtentBatch, Ledger, LedgerError};

use super::accounts::Accounts;
use super::changing::{Changing, Within};
use super::emitted_extents::{EmittedExtent, EmittedExtents};
use super::emitter::Emitter;
use super::late_stacks::LateStacks;

/// The reason for sampling an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    /// A tick.
    Tick,
    /// The last sample of the session: no late stack is waited for.
    End,
    /// A mapping change near the extent.
    MappingChange,
}

/// Least number of extents to sample among [`ExtentBatch::EXTENTS`] for which one system call costs less than one for each.
const BATCHED: usize = 32;

/// What is left to do with an extent after a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing, until a program tells of a change.
    Settled,
    /// The next tick samples the extent again.
    Again,
}

/// Returns the number of the batch in which an extent is read.
const fn place(index: u32) -> u32 {
    index / ExtentBatch::EXTENTS
}

/// Returns the descriptor on which an extent was pinned.
fn descriptor(extent: &Extent) -> Option<u32> {
    Some(extent.descriptor).filter(|descriptor| *descriptor != Extent::NO_DESCRIPTOR)
}

/// Extents as last emitted.
#[derive(Default)]
pub(super) struct Extents {
    emitted: EmittedExtents,
    /// The extents to sample at the next tick beside those that change: the programs tell of each change once.
    due: Vec<u32>,
    changing: Changing,
    late_stacks: LateStacks,
    /// The memory for extents that are read together.
    batch: Option<ExtentBatch>,
    /// Time at which the ring buffer was last read: the records of later pins may still be in the ring buffer.
    read: Nanos,
}

impl Extents {
    /// The caller reads the ring buffer at `now`.
    pub(super) fn reading(&mut self, now: Nanos) {
        self.read = now;
    }

    /// Returns the number of extents whose stack the kernel did not take.
    pub(super) fn stackless(&self) -> u64 {
        self.late_stacks.never()
    }

    /// Emits each extent that changed since the extent was last emitted.
    pub(super) fn sample(
        &mut self,
        now: Nanos,
        last: bool,
        ledger: &Ledger,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        let occasion = if last { Occasion::End } else { Occasion::Tick };
        let mut due = std::mem::take(&mut self.due);
        ledger.take_changed_extents(&mut due);
        due.sort_unstable();
        due.dedup();
        let mut batch = self.batch.take().unwrap_or_default();
        for near in due.chunk_by(|one, other| place(*one) == place(*other)) {
            if near.len() < BATCHED {
                for &index in near {
                    let extent = ledger.extent(index)?;
                    self.sample_in_tick(now, occasion, index, &extent, ledger, out);
                }
                continue;
            }
            let first = place(near[0]) * ExtentBatch::EXTENTS;
            let mut wanted = near.iter().copied().peekable();
            for (index, extent) in (first..).zip(ledger.extents_from(first, &mut batch)?) {
                if wanted.next_if_eq(&index).is_some() {
                    self.sample_in_tick(now, occasion, index, &extent, ledger, out);
                }
            }
        }
        self.batch = Some(batch);
        Ok(())
    }

    /// Samples an extent, and again at the next tick if the extent is not settled.
    fn sample_in_tick(
        &mut self,
        now: Nanos,
        occasion: Occasion,
        index: u32,
        extent: &Extent,
        ledger: &Ledger,
        out: &mut Emitter,
    ) {
        if self.sample_one(now, occasion, index, extent, ledger, out) == Outcome::Again {
            self.due.push(index);
        }
    }

    /// Emits extents whose opening or closing record was lost. Reads the whole extent table, so this runs only after a
    /// loss.
    pub(super) fn resync(
        &mut self,
        now: Nanos,
        ledger: &Ledger,
        accounts: &mut Accounts,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        for index in ledger.extent_indices()? {
            let extent = ledger.extent(index)?;
            let known = self.emitted.get(index).map(|emitted| emitted.opened_ns);
            if known.is_some() && (extent.pages_held == 0 || known != Some(extent.opened_ns)) {
                self.forget(now, index, out);
            }
            if extent.pages_held != 0 && extent.pages != 0 && known != Some(extent.opened_ns) {
                self.open(now, index, &extent, ledger, accounts, out)?;
            }
        }
        Ok(())
    }

    /// Emits the opening of an extent, and of its account if the account is new.
    pub(super) fn open(
        &mut self,
        time: Nanos,
        index: u32,
        extent: &Extent,
        ledger: &Ledger,
        accounts: &mut Accounts,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        let account = if let Some(account) = accounts.emitted(extent.account) {
            account
        } else {
            let account = ledger.account(extent.account)?;
            accounts.open(extent.account, &account, ledger, out)
        };
        let stack = out.stack(time, extent.stack, ledger);
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
            file: FileId(extent.file),
            descriptor: descriptor(extent),
        };
        out.push(time, Body::ExtentOpened(opened));
        self.changing.opened(index, Within::of(extent));
        self.emitted.insert(index, EmittedExtent::opened(extent));
        // A tick before the opening was read had no extent to sample.
        self.due.push(index);
        self.mark(time, index, extent.flags & Extent::INEXACT_MARKS, out);
        Ok(())
    }

    /// Emits the state of an extent if the state has changed, or if the occasion is a mapping change. Returns
    /// [`Outcome::Again`] if there may be more to emit although no program tells of a change.
    fn sample_one(
        &mut self,
        now: Nanos,
        occasion: Occasion,
        index: u32,
        extent: &Extent,
        ledger: &Ledger,
        out: &mut Emitter,
    ) -> Outcome {
        // A pin call that extended the extent after the ring buffer was read may be later than a mapping change whose
        // record is still in the ring buffer. The new end is emitted after that record.
        let early = occasion == Occasion::Tick && extent.grown_ns > self.read.0;
        if early
            && self
                .emitted
                .get(index)
                .is_some_and(|emitted| emitted.end != extent.end)
        {
            return Outcome::Again;
        }
        let Some(emitted) = self.emitted.get_mut(index) else {
            return Outcome::Settled;
        };
        if emitted.grows {
            emitted.grows = self.changing.sampled(now, index, emitted.within, extent.grown_ns);
        }
        // The records of an extent that was closed, or of a new extent under the same index, are still in the ring
        // buffer.
        if emitted.opened_ns != extent.opened_ns || extent.pages_held == 0 {
            return Outcome::Settled;
        }
        let age = Nanos(now.0.saturating_sub(extent.opened_ns));
        let late = self
            .late_stacks
            .update(&mut emitted.stack, extent.stack, age, occasion == Occasion::End);
        let changed = emitted.sampled(extent);
        let outcome = if emitted.grows || emitted.stack == STACK_LATER {
            Outcome::Again
        } else {
            Outcome::Settled
        };
        if !changed && late.is_none() && occasion != Occasion::MappingChange {
            return outcome;
        }
        let sampled = ExtentSampled {
            extent: ExtentId(index),
            end: extent.end,
            pages: extent.pages,
            pages_held: extent.pages_held,
            bytes_held: extent.bytes_held,
            stack: late.and_then(|stack| out.stack(now, stack, ledger)),
        };
        out.push(now, Body::ExtentSampled(sampled));
        // The record of the partial release may have been lost.
        self.mark(now, index, extent.flags & Extent::INEXACT_MARKS, out);
        outcome
    }

    /// Emits each of the marks [`Extent::INEXACT_MARKS`] of an extent once.
    pub(super) fn mark(&mut self, time: Nanos, index: u32, marks: u32, out: &mut Emitter) {
        let Some(emitted) = self.emitted.get_mut(index) else {
            return;
        };
        if emitted.marks & marks == marks {
            return;
        }
        emitted.marks |= marks;
        self.changing.partially_released(index, emitted.within);
        let has = |mark| emitted.marks & mark != 0;
        let marked = ExtentMarked {
            extent: ExtentId(index),
            partially_released: has(Extent::PARTIALLY_RELEASED),
            ambiguous_owner: has(Extent::AMBIGUOUS_OWNER),
            areas_unknown: has(Extent::AREAS_UNKNOWN),
        };
        out.push(time, Body::ExtentMarked(marked));
    }

    /// Emits the end of an extent.
    pub(super) fn close(&mut self, closed: &wire::ExtentClosed, out: &mut Emitter) {
        let index = closed.header.id;
        let Some(emitted) = self.emitted.remove(index) else {
            return;
        };
        self.changing.closed(index, emitted.within);
        let body = ExtentClosed {
            extent: ExtentId(index),
            pages: closed.extent.pages,
            end: closed.extent.end,
            by: Pid((closed.pid_tgid >> 32) as u32),
        };
        out.push(Nanos(closed.header.time_ns), Body::ExtentClosed(body));
    }

    /// Emits the end of an extent whose closing record was lost.
    fn forget(&mut self, now: Nanos, index: u32, out: &mut Emitter) {
        if let Some(emitted) = self.emitted.remove(index) {
            self.changing.closed(index, emitted.within);
            let body = ExtentClosed {
                extent: ExtentId(index),
                pages: emitted.pages,
                end: emitted.end,
                by: Pid(0),
            };
            out.push(now, Body::ExtentClosed(body));
        }
    }

    /// Emits the current end and held pages of the extents that a mapping change may concern. Pages that are held now
    /// were held at the change, too.
    pub(super) fn mapping_changed(
        &mut self,
        change: &MappingChanged,
        ledger: &Ledger,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        let time = change.header.time_ns;
        let in_file = change.header.id == mapping_change::FILE;
        let shrinking: BTreeSet<u32> = self.changing.shrinking(change.within).collect();
        let all: BTreeSet<u32> = self
            .changing
            .growing(change.within)
            .chain(shrinking.iter().copied())
            .collect();
        for index in all {
            let Some(emitted) = self.emitted.get(index).copied() else {
                continue;
            };
            if !in_file && emitted.address >= change.end {
                continue;
            }
            let extent = ledger.extent(index)?;
            // A pin call extended the extent after the change, so the current end is not the end at the change.
            let grown = emitted.end != extent.end;
            if grown && extent.grown_ns > time {
                continue;
            }
            let hit = in_file || emitted.end > change.address;
            if grown || hit && shrinking.contains(&index) {
                // The next tick still samples the extent: what the programs told is not taken here.
                self.sample_one(Nanos(time), Occasion::MappingChange, index, &extent, ledger, out);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pintrace_common::pin_calls;

    use super::*;

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "the programs keep the lower half")]
    fn an_unknown_descriptor_is_none_and_descriptor_0_is_some() {
        let on = |descriptor| {
            super::descriptor(&Extent {
                descriptor,
                ..Extent::default()
            })
        };
        assert_eq!(on(pin_calls::NO_DESCRIPTOR as u32), None);
        assert_eq!((on(0), on(7)), (Some(0), Some(7)));
    }
}
