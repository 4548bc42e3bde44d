//! Calls of madvise that drop pages: MADV_DONTNEED calls that fail, or that drop fewer pages than the call names, and
//! MADV_GUARD_INSTALL.

use std::iter::once;
use std::ops::Range;

use super::expected::{ExpectedKind, ExpectedTrigger};
use super::pinned::{Pinned, frames};
use super::scenario_run::ScenarioRun;
use crate::failure::Result;
use crate::memory::{Buffer, MemorySpec, PAGE, Sharing};
use crate::report;

/// The call drops the pinned first half, then fails at the locked second half.
pub(super) fn failed(run: &mut ScenarioRun) -> Result<()> {
    let (buffer, half) = half_locked(run)?;
    let pinned = Pinned::parts(run, buffer, once(0..half))?;
    discard_and_finish(run, pinned, once(0..2 * half))
}

/// Control: the call names only the locked half, which is pinned, and drops nothing.
pub(super) fn refused(run: &mut ScenarioRun) -> Result<()> {
    let (buffer, half) = half_locked(run)?;
    let locked = half..2 * half;
    let pinned = Pinned::parts(run, buffer, once(locked.clone()))?;
    discard_and_finish(run, pinned, once(locked))
}

/// The call names the first 4 KiB of a pinned hugetlb page, of which the kernel can drop the whole only.
pub(super) fn part_of_hugetlb(run: &mut ScenarioRun) -> Result<()> {
    let pinned = Pinned::new(run, Buffer::new(run.wanted(Sharing::Private))?)?;
    discard_and_finish(run, pinned, once(0..1))
}

/// Installs guard regions over the pinned pages.
pub(super) fn guards(run: &mut ScenarioRun) -> Result<()> {
    let buffer = Buffer::new(run.wanted(Sharing::Private))?;
    let pages = buffer.bytes() / PAGE;
    install_guards(run, Pinned::new(run, buffer)?, 0..pages)
}

/// Control: only the first half is pinned, and the guard regions are in the second half.
pub(super) fn quiet_guards(run: &mut ScenarioRun) -> Result<()> {
    let buffer = Buffer::new(run.wanted(Sharing::Private))?;
    let pages = buffer.bytes() / PAGE;
    let half = pages / 2;
    install_guards(run, Pinned::parts(run, buffer, once(0..half))?, half..pages)
}

/// Installs guard regions, notes the pinned pages that are gone, and releases.
fn install_guards(run: &mut ScenarioRun, mut pinned: Pinned, part: Range<usize>) -> Result<()> {
    let before = frames(pinned.buffer()?)?;
    let began_ns = report::now_ns();
    pinned.buffer()?.install_guards(part)?;
    let what = (ExpectedKind::MappingTouched, ExpectedTrigger::GuardInstall);
    let lost = pinned.lost_since(run, what, &before)?;
    run.step("guard_install", &[("pages_changed", lost)], began_ns)?;
    run.changed()?;
    pinned.release(run)?;
    run.end()
}

/// Maps twice the wanted pages and locks the second half. Returns the pages of one half.
fn half_locked(run: &ScenarioRun) -> Result<(Buffer, usize)> {
    let buffer = Buffer::new(MemorySpec {
        pages: 2 * run.pages(),
        ..run.wanted(Sharing::Private)
    })?;
    let pages = buffer.bytes() / PAGE;
    buffer.lock(pages / 2..pages)?;
    Ok((buffer, pages / 2))
}

/// Drops each part by a call of its own, notes the pinned pages that are gone, and releases.
pub(super) fn discard_and_finish(
    run: &mut ScenarioRun,
    mut pinned: Pinned,
    parts: impl IntoIterator<Item = Range<usize>>,
) -> Result<()> {
    for part in parts {
        let before = frames(pinned.buffer()?)?;
        let began_ns = report::now_ns();
        let error = pinned.buffer()?.discard(part)?;
        let what = (ExpectedKind::MappingTouched, ExpectedTrigger::Dontneed);
        let lost = pinned.lost_since(run, what, &before)?;
        run.step("dontneed", &[("error", error), ("pages_changed", lost)], began_ns)?;
    }
    run.changed()?;
    pinned.release(run)?;
    run.end()
}
