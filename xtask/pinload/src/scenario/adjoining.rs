//! Two adjoining buffers of one io_uring: the second is released, and the first, which is still pinned, is unmapped.

use super::expected::{ExpectedKind, ExpectedTrigger};
use super::mapping::second_half;
use super::partial_release::release_second;
use super::pinned::{Pinned, frames};
use super::scenario_run::ScenarioRun;
use crate::choice::PinKind;
use crate::failure::Result;
use crate::memory::{Buffer, Sharing};
use crate::report;
use crate::workload::IoUringBuffers;

/// One system call registers both buffers.
pub(super) fn kept(run: &mut ScenarioRun) -> Result<()> {
    let buffers = IoUringBuffers::new(Buffer::new(run.wanted(Sharing::Private))?, 2)?;
    unmap_first(run, buffers)
}

/// Two system calls register one buffer each, with arguments at the same address.
pub(super) fn calls(run: &mut ScenarioRun) -> Result<()> {
    let buffers = IoUringBuffers::one_by_one(Buffer::new(run.wanted(Sharing::Private))?, 2)?;
    unmap_first(run, buffers)
}

fn unmap_first(run: &mut ScenarioRun, buffers: IoUringBuffers) -> Result<()> {
    let mut pinned = Pinned::on(PinKind::IoUring, buffers)?.ready(run)?;
    release_second(run, &mut pinned)?;
    let before = frames(pinned.buffer()?)?;
    let began_ns = report::now_ns();
    let first = second_half(pinned.buffer()?);
    pinned.buffer()?.unmap_first(first)?;
    let what = (ExpectedKind::MappingTouched, ExpectedTrigger::Munmap);
    let lost = pinned.lost_since(run, what, &before)?;
    run.step("munmap", &[("pages_changed", lost)], began_ns)?;
    run.changed()?;
    pinned.release(run)?;
    run.end()
}
