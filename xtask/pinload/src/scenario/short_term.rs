//! Changes made while a system call holds pages without FOLL_LONGTERM.

use nix::unistd::getpid;

use super::blocked_read::start;
use super::expected::{ExpectedKind, ExpectedTrigger};
use super::mapping::second_half;
use super::memory_arguments::Writer;
use super::other_owners::OtherOwners;
use super::pinned::frames;
use super::scenario_run::ScenarioRun;
use super::writer::ReadyWriter;
use crate::failure::Result;
use crate::memory::{Buffer, PAGE, Sharing};
use crate::report;

/// Holds the pins and changes nothing.
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

/// Pages of a file, pinned for reading: each write puts a copy into the memory of the process.
pub(super) fn read_pin_write(run: &mut ScenarioRun, writer: Writer, others: u64) -> Result<()> {
    let buffer = Buffer::new(run.wanted(Sharing::Copied))?;
    let others = OtherOwners::fork(&buffer, others)?;
    let writer = ReadyWriter::new(writer, &buffer)?;
    let before = frames(&buffer)?;
    let waiting = start(run, &buffer)?;
    let began_ns = report::now_ns();
    writer.write(&buffer)?;
    let copied = before.moved(&frames(&buffer)?);
    let count = copied.len() as u64;
    run.note(
        ExpectedKind::CowAfterPin,
        ExpectedTrigger::Write,
        count,
        buffer.address(),
        copied,
    );
    run.step("write", &[("pages_copied", count)], began_ns)?;
    run.changed()?;
    waiting.finish(run)?;
    others.end()?;
    run.end()
}

/// Control: the writes go to other pages of a file, which are copied too, and which nobody has pinned.
pub(super) fn quiet_write(run: &ScenarioRun, writer: Writer, others: u64) -> Result<()> {
    let buffer = Buffer::new(run.wanted(Sharing::Copied))?;
    let other = Buffer::new(run.wanted(Sharing::Copied))?;
    let others = OtherOwners::fork(&other, others)?;
    let writer = ReadyWriter::new(writer, &other)?;
    let before = frames(&other)?;
    let waiting = start(run, &buffer)?;
    let began_ns = report::now_ns();
    writer.write(&other)?;
    let copied = before.moved(&frames(&other)?).len() as u64;
    run.step("write", &[("pages_copied", copied)], began_ns)?;
    run.changed()?;
    waiting.finish(run)?;
    others.end()?;
    run.end()
}

/// Unmaps the second half: the call continues with pages that no address maps.
pub(super) fn unmap(run: &mut ScenarioRun) -> Result<()> {
    let mut buffer = Buffer::new(run.wanted(Sharing::Private))?;
    let waiting = start(run, &buffer)?;
    let (from, end) = (second_half(&buffer), buffer.bytes() / PAGE);
    let began_ns = report::now_ns();
    buffer.unmap_from(from * PAGE)?;
    run.note(
        ExpectedKind::MappingTouched,
        ExpectedTrigger::Munmap,
        1,
        buffer.address(),
        from..end,
    );
    run.step("munmap", &[], began_ns)?;
    run.changed()?;
    waiting.finish(run)?;
    run.end()
}
