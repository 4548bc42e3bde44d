//! Memory that this process has pinned (by default as fixed buffers of an io_uring), and the changes of its pages.

use std::ops::Range;

use super::expected::{ExpectedKind, ExpectedTrigger, copies};
use super::scenario_run::{PinnedRange, ScenarioRun};
use crate::choice::{Backing, PinKind};
use crate::failure::{Failure, Result};
use crate::memory::{Buffer, HUGE, PAGE, PageFrames};
use crate::range_change::buffer_of;
use crate::report;
use crate::workload::{IoUringBuffers, Workload};

/// A pinned or referenced range.
pub(super) struct Pinned<W = IoUringBuffers> {
    workload: W,
    held: PinnedRange,
    pages: usize,
    /// The frames at the time of the pin: the memory that the holder of the pins sees.
    frames: PageFrames,
}

impl Pinned {
    /// Pins the whole buffer, prints `ready`, and waits.
    pub(super) fn new(run: &ScenarioRun, buffer: Buffer) -> Result<Self> {
        Self::on(PinKind::IoUring, IoUringBuffers::new(buffer, 1)?)?.ready(run)
    }

    /// Pins parts of the buffer, prints `ready`, and waits.
    pub(super) fn parts(
        run: &ScenarioRun,
        buffer: Buffer,
        parts: impl IntoIterator<Item = Range<usize>>,
    ) -> Result<Self> {
        Self::on(PinKind::IoUring, IoUringBuffers::of_parts(buffer, parts)?)?.ready(run)
    }

    /// Notes a system call by the pinned pages whose frames differ from `before`. Returns the number of these pages.
    pub(super) fn lost_since(
        &mut self,
        run: &mut ScenarioRun,
        (kind, trigger): (ExpectedKind, ExpectedTrigger),
        before: &PageFrames,
    ) -> Result<u64> {
        let after = frames(self.buffer()?)?;
        let mut lost = before.changed(&after);
        lost.retain(|page| self.workload.contains(*page));
        let (base, count) = (self.buffer()?.address(), lost.len() as u64);
        run.note(kind, trigger, 1, base, lost);
        Ok(count)
    }
}

impl<W: Workload> Pinned<W> {
    /// Pins the memory of the workload without printing a line.
    pub(super) fn on(kind: PinKind, mut workload: W) -> Result<Self> {
        let began_ns = report::now_ns();
        let pins = workload.pin()?;
        let address = workload.info().address;
        let buffer = buffer_of(workload.buffer())?;
        Ok(Self {
            held: PinnedRange {
                kind: Some(kind),
                tid: report::caller().1,
                address,
                pins,
                began_ns,
            },
            pages: buffer.bytes() / PAGE,
            frames: frames(buffer)?,
            workload,
        })
    }

    /// Prints `ready`, and waits.
    pub(super) fn ready(self, run: &ScenarioRun) -> Result<Self> {
        run.ready(self.held)?;
        run.wait()?;
        Ok(self)
    }

    /// Returns the workload that holds the memory.
    pub(super) const fn workload(&mut self) -> &mut W {
        &mut self.workload
    }

    /// Returns the memory.
    pub(super) fn buffer(&mut self) -> Result<&mut Buffer> {
        buffer_of(self.workload.buffer())
    }

    /// Returns the range for the printed lines.
    pub(super) const fn held(&self) -> PinnedRange {
        self.held
    }

    /// Returns the indexes of all pages of the memory.
    pub(super) const fn all(&self) -> Range<usize> {
        0..self.pages
    }

    /// Notes a system call that changed these pages at the address at which they were pinned.
    pub(super) fn changed_by(&self, run: &mut ScenarioRun, trigger: ExpectedTrigger, pages: Range<usize>) {
        run.note(ExpectedKind::MappingTouched, trigger, 1, self.held.address, pages);
    }

    /// Writes to each page. A page was copied if the write replaced its held frame.
    pub(super) fn write(&mut self, run: &mut ScenarioRun) -> Result<()> {
        let began_ns = report::now_ns();
        let before = frames(self.buffer()?)?;
        self.buffer()?.write_pages();
        let copied = self.copied_since(run, &before)?;
        run.step("write", &[("pages_copied", copied)], began_ns)
    }

    /// Notes the held pages that were copied since `before`, and returns their number.
    pub(super) fn copied_since(&mut self, run: &mut ScenarioRun, before: &PageFrames) -> Result<u64> {
        let after = frames(self.buffer()?)?;
        let gone: Vec<usize> = self.frames.changed(before);
        let copied: Vec<usize> = before
            .moved(&after)
            .into_iter()
            .filter(|page| gone.binary_search(page).is_err())
            .collect();
        let buffer = self.buffer()?;
        let unit = match buffer.wanted().backing {
            Backing::Hugetlb => HUGE,
            // A transparent huge page is split before one of its pages is copied.
            Backing::Small | Backing::Thp => PAGE,
        };
        let (base, times, count) = (buffer.address(), copies(&copied, unit), copied.len() as u64);
        let kind = match self.held.kind {
            Some(PinKind::Vmsplice) => ExpectedKind::GetNotPin,
            _ => ExpectedKind::CowAfterPin,
        };
        run.note(kind, ExpectedTrigger::Write, times, base, copied);
        Ok(count)
    }

    /// Returns the held frames.
    pub(super) fn frames(&self) -> PageFrames {
        self.frames.clone()
    }

    /// Closes the descriptor that holds the pins. The kernel releases the pins from a work queue.
    pub(super) fn close(&mut self) -> Result<()> {
        self.workload.close()
    }

    /// Releases the pins, and prints `released`.
    pub(super) fn release(&mut self, run: &ScenarioRun) -> Result<()> {
        let began_ns = report::now_ns();
        self.workload.unpin()?;
        let deferred = self.workload.info().unpin_is_deferred;
        run.released(self.held, deferred, began_ns)
    }
}

/// Returns the frame of each page. Fails without root.
pub(super) fn frames(buffer: &Buffer) -> Result<PageFrames> {
    buffer.frames().ok_or_else(|| {
        Failure::unavailable(
            "the kernel hides the frames of this process's pages",
            "run as root: only the frames show which pages were copied",
        )
    })
}
