//! Controls: harmless changes, for which no finding is expected.

use super::pinned::{Pinned, frames};
use super::scenario_run::{PinnedRange, ScenarioRun};
use crate::child::{self, ForkedChild};
use crate::failure::Result;
use crate::memory::{Buffer, Sharing};
use crate::report;

/// Nothing is pinned; parent and child write after a fork.
pub(super) fn fork(run: &ScenarioRun) -> Result<()> {
    let buffer = Buffer::new(run.wanted(Sharing::Private))?;
    let held = PinnedRange::unpinned(&buffer);
    run.ready(held)?;
    run.wait()?;
    fork_and_write(run, &buffer)?;
    run.changed()?;
    run.released(held, false, report::now_ns())?;
    run.end()
}

/// The neighbours directly before and after the pinned range are discarded, protected and unmapped.
pub(super) fn unmap(run: &ScenarioRun) -> Result<()> {
    let buffer = Buffer::new(run.wanted(Sharing::Private))?;
    let neighbours = buffer.neighbours()?;
    let mut pinned = Pinned::new(run, buffer)?;
    for neighbour in neighbours {
        let began_ns = report::now_ns();
        neighbour.discard_and_write()?;
        neighbour.protect(false)?;
        neighbour.protect(true)?;
        neighbour.write();
        neighbour.unmap()?;
        run.step("neighbour", &[], began_ns)?;
    }
    finish(run, &mut pinned)
}

/// Other memory of the process is made read-only, writable again, and written.
pub(super) fn protect(run: &ScenarioRun) -> Result<()> {
    let other = Buffer::new(run.wanted(Sharing::Private))?;
    let mut pinned = Pinned::new(run, Buffer::new(run.wanted(Sharing::Private))?)?;
    protect_and_write(run, &other)?;
    finish(run, &mut pinned)
}

/// All changes come after the release.
pub(super) fn release(run: &ScenarioRun) -> Result<()> {
    let mut pinned = Pinned::new(run, Buffer::new(run.wanted(Sharing::Private))?)?;
    pinned.release(run)?;
    let buffer = pinned.buffer()?;
    protect_and_write(run, buffer)?;
    fork_and_write(run, buffer)?;
    let began_ns = report::now_ns();
    buffer.relocate()?;
    run.step("mremap", &[], began_ns)?;
    let began_ns = report::now_ns();
    buffer.unmap()?;
    run.step("munmap", &[], began_ns)?;
    run.changed()?;
    run.end()
}

fn finish(run: &ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    run.changed()?;
    pinned.release(run)?;
    run.end()
}

fn protect_and_write(run: &ScenarioRun, buffer: &Buffer) -> Result<()> {
    let began_ns = report::now_ns();
    let before = frames(buffer)?;
    buffer.protect(false)?;
    buffer.protect(true)?;
    buffer.write_pages();
    let copied = before.moved(&frames(buffer)?).len() as u64;
    run.step("mprotect", &[("pages_copied", copied)], began_ns)
}

/// Forks, and writes in parent and child, which copies unpinned pages.
pub(super) fn fork_and_write(run: &ScenarioRun, buffer: &Buffer) -> Result<()> {
    let began_ns = report::now_ns();
    let before = frames(buffer)?;
    let child = ForkedChild::fork(|parent| {
        parent.wait()?;
        buffer.write_pages();
        Ok(())
    })?;
    let pid = u64::from(child.pid().as_raw().unsigned_abs());
    buffer.write_pages();
    let copied = before.moved(&frames(buffer)?).len() as u64;
    child::check(child.finish()?)?;
    run.step("fork", &[("child_pid", pid), ("pages_copied", copied)], began_ns)
}
