//! What a process may do without any harm to pins: nothing is to be found.

use super::pinned::{Pinned, frames};
use super::stage::{Held, Stage};
use crate::failure::Result;
use crate::family::{self, Child};
use crate::memory::{Buffer, Sharing};
use crate::report;

/// Nothing is pinned; parent and child write after a fork.
pub(super) fn fork(stage: &Stage) -> Result<()> {
    let buffer = Buffer::new(stage.wanted(Sharing::Private))?;
    let held = Held::unpinned(&buffer);
    stage.ready(held)?;
    stage.wait()?;
    fork_and_write(stage, &buffer)?;
    stage.touched()?;
    stage.released(held, false, report::now_ns())?;
    stage.end()
}

/// The neighbours on both sides are discarded, protected and unmapped, to the page.
pub(super) fn unmap(stage: &Stage) -> Result<()> {
    let buffer = Buffer::new(stage.wanted(Sharing::Private))?;
    let neighbours = buffer.neighbours()?;
    let mut pinned = Pinned::new(stage, buffer)?;
    for neighbour in neighbours {
        let began_ns = report::now_ns();
        neighbour.replace()?;
        neighbour.protect(false)?;
        neighbour.protect(true)?;
        neighbour.write();
        neighbour.unmap()?;
        stage.step("neighbour", &[], began_ns)?;
    }
    finish(stage, &mut pinned)
}

/// Other memory of the process is made read-only, writable again, and written.
pub(super) fn protect(stage: &Stage) -> Result<()> {
    let other = Buffer::new(stage.wanted(Sharing::Private))?;
    let mut pinned = Pinned::new(stage, Buffer::new(stage.wanted(Sharing::Private))?)?;
    protect_and_write(stage, &other)?;
    finish(stage, &mut pinned)
}

/// Everything comes after the release.
pub(super) fn release(stage: &Stage) -> Result<()> {
    let mut pinned = Pinned::new(stage, Buffer::new(stage.wanted(Sharing::Private))?)?;
    pinned.release(stage)?;
    let buffer = pinned.buffer()?;
    protect_and_write(stage, buffer)?;
    fork_and_write(stage, buffer)?;
    let began_ns = report::now_ns();
    buffer.relocate()?;
    stage.step("mremap", &[], began_ns)?;
    let began_ns = report::now_ns();
    buffer.unmap()?;
    stage.step("munmap", &[], began_ns)?;
    stage.touched()?;
    stage.end()
}

fn finish(stage: &Stage, pinned: &mut Pinned) -> Result<()> {
    stage.touched()?;
    pinned.release(stage)?;
    stage.end()
}

fn protect_and_write(stage: &Stage, buffer: &Buffer) -> Result<()> {
    let began_ns = report::now_ns();
    let before = frames(buffer)?;
    buffer.protect(false)?;
    buffer.protect(true)?;
    buffer.write_pages();
    let copied = before.moved(&frames(buffer)?).len() as u64;
    stage.step("mprotect", &[("pages_copied", copied)], began_ns)
}

/// The copies that are made here are of pages that nobody pins.
pub(super) fn fork_and_write(stage: &Stage, buffer: &Buffer) -> Result<()> {
    let began_ns = report::now_ns();
    let before = frames(buffer)?;
    let child = Child::fork(|parent| {
        parent.wait()?;
        buffer.write_pages();
        Ok(())
    })?;
    let pid = u64::from(child.pid().as_raw().unsigned_abs());
    buffer.write_pages();
    let copied = before.moved(&frames(buffer)?).len() as u64;
    family::check(child.finish()?)?;
    stage.step("fork", &[("child_pid", pid), ("pages_copied", copied)], began_ns)
}
