//! What is done while a system call holds pages without FOLL_LONGTERM.

use nix::unistd::getpid;

use super::blocked_read::start;
use super::expected::{ExpectedKind, HazardCause};
use super::mapping::second_half;
use super::pinned::frames;
use super::scenario_run::ScenarioRun;
use crate::failure::Result;
use crate::memory::{Buffer, PAGE, Sharing};
use crate::report;

/// PinnedRange, and nothing else.
pub(super) fn missing_longterm(run: &mut ScenarioRun) -> Result<()> {
    let buffer = Buffer::new(run.wanted(Sharing::Private))?;
    let waiting = start(run, &buffer)?;
    run.note_holding(
        ExpectedKind::UndeclaredLongterm,
        getpid().as_raw(),
        buffer.address(),
    );
    run.changed()?;
    waiting.finish(run)?;
    run.end()
}

/// A file's pages, pinned for reading: each write puts a copy into the process's memory.
pub(super) fn read_pin_write(run: &mut ScenarioRun) -> Result<()> {
    let buffer = Buffer::new(run.wanted(Sharing::Copied))?;
    let before = frames(&buffer)?;
    let waiting = start(run, &buffer)?;
    let began_ns = report::now_ns();
    buffer.write_pages();
    let copied = before.moved(&frames(&buffer)?);
    let count = copied.len() as u64;
    run.note(
        ExpectedKind::CowAfterPin,
        HazardCause::Write,
        count,
        buffer.address(),
        copied,
    );
    run.step("write", &[("pages_copied", count)], began_ns)?;
    run.changed()?;
    waiting.finish(run)?;
    run.end()
}

/// The second half is unmapped: the call goes on with pages to which no address leads any more.
pub(super) fn unmap(run: &mut ScenarioRun) -> Result<()> {
    let mut buffer = Buffer::new(run.wanted(Sharing::Private))?;
    let waiting = start(run, &buffer)?;
    let (from, end) = (second_half(&buffer), buffer.bytes() / PAGE);
    let began_ns = report::now_ns();
    buffer.unmap_from(from * PAGE)?;
    run.note(
        ExpectedKind::MappingTouched,
        HazardCause::Munmap,
        1,
        buffer.address(),
        from..end,
    );
    run.step("munmap", &[], began_ns)?;
    run.changed()?;
    waiting.finish(run)?;
    run.end()
}
