//! Memory that this process holds, by fixed buffers of an io_uring unless it says otherwise, and what becomes of
//! its pages.

use std::ops::Range;

use super::stage::{Held, Stage};
use super::truth::{Kind, Touch, copies};
use crate::choice::{self, Backing};
use crate::failure::{Failure, Result};
use crate::memory::{Buffer, Frames, HUGE, PAGE};
use crate::report;
use crate::touch::buffer_of;
use crate::workload::{IoUringBuffers, Workload};

/// A pinned range, or a referenced one.
pub(super) struct Pinned<W = IoUringBuffers> {
    workload: W,
    held: Held,
    pages: usize,
    /// As they were when the pins were taken: what the pins' holder looks at.
    frames: Frames,
}

impl Pinned {
    /// Pins the whole buffer, says so, and waits at the gate.
    pub(super) fn new(stage: &Stage, buffer: Buffer) -> Result<Self> {
        Self::on(choice::Kind::IoUring, IoUringBuffers::new(buffer, 1)?)?.ready(stage)
    }
}

impl<W: Workload> Pinned<W> {
    /// Pins what the workload has, and says nothing.
    pub(super) fn on(kind: choice::Kind, mut workload: W) -> Result<Self> {
        let began_ns = report::now_ns();
        let pins = workload.pin()?;
        let buffer = buffer_of(workload.buffer())?;
        Ok(Self {
            held: Held {
                kind: Some(kind),
                tid: report::caller().1,
                address: buffer.address(),
                pins,
                began_ns,
            },
            pages: buffer.bytes() / PAGE,
            frames: frames(buffer)?,
            workload,
        })
    }

    /// Says so, and waits at the gate.
    pub(super) fn ready(self, stage: &Stage) -> Result<Self> {
        stage.ready(self.held)?;
        stage.wait()?;
        Ok(self)
    }

    /// What holds the memory.
    pub(super) const fn workload(&self) -> &W {
        &self.workload
    }

    /// The memory.
    pub(super) fn buffer(&mut self) -> Result<&mut Buffer> {
        buffer_of(self.workload.buffer())
    }

    /// What a line says of it.
    pub(super) const fn held(&self) -> Held {
        self.held
    }

    /// All of its pages.
    pub(super) const fn all(&self) -> Range<usize> {
        0..self.pages
    }

    /// A system call touched these pages where they were pinned.
    pub(super) fn touched(&self, stage: &mut Stage, touch: Touch, pages: Range<usize>) {
        stage.note(Kind::MappingTouched, touch, 1, self.held.address, pages);
    }

    /// Writes to each page; where that put another frame in the place of the held one, it was a copy.
    pub(super) fn write(&mut self, stage: &mut Stage) -> Result<()> {
        let began_ns = report::now_ns();
        let before = frames(self.buffer()?)?;
        self.buffer()?.write_pages();
        let copied = self.copied_since(stage, &before)?;
        stage.step("write", &[("pages_copied", copied)], began_ns)
    }

    /// Notes the held pages that were copied since `before`, and counts them.
    pub(super) fn copied_since(&mut self, stage: &mut Stage, before: &Frames) -> Result<u64> {
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
            Some(choice::Kind::Vmsplice) => Kind::GetNotPin,
            _ => Kind::CowAfterPin,
        };
        stage.note(kind, Touch::Write, times, base, copied);
        Ok(count)
    }

    /// The frames that are held.
    pub(super) fn frames(&self) -> Frames {
        self.frames.clone()
    }

    /// Gives the pins back, and says so.
    pub(super) fn release(&mut self, stage: &Stage) -> Result<()> {
        let began_ns = report::now_ns();
        self.workload.unpin()?;
        let deferred = self.workload.facts().unpin_is_deferred;
        stage.released(self.held, deferred, began_ns)
    }
}

/// The frame of each page; a scenario cannot do without.
pub(super) fn frames(buffer: &Buffer) -> Result<Frames> {
    buffer.frames().ok_or_else(|| {
        Failure::unavailable(
            "the kernel does not tell the frames of this process's pages",
            "run as root: only by the frames it is known what was copied",
        )
    })
}
