//! What is done while a system call holds pages without FOLL_LONGTERM.

use nix::unistd::getpid;

use super::mapping::second_half;
use super::pinned::frames;
use super::stage::Stage;
use super::truth::{Kind, Touch};
use super::waiting::start;
use crate::failure::Result;
use crate::memory::{Buffer, PAGE, Sharing};
use crate::report;

/// Held, and nothing else.
pub(super) fn undeclared(stage: &mut Stage) -> Result<()> {
    let buffer = Buffer::new(stage.wanted(Sharing::Private))?;
    let waiting = start(stage, &buffer)?;
    stage.note_holding(Kind::UndeclaredLongterm, getpid().as_raw(), buffer.address());
    stage.touched()?;
    waiting.finish(stage)?;
    stage.end()
}

/// A file's pages, pinned for reading: each write puts a copy into the process's memory.
pub(super) fn read_pin_write(stage: &mut Stage) -> Result<()> {
    let buffer = Buffer::new(stage.wanted(Sharing::Copied))?;
    let before = frames(&buffer)?;
    let waiting = start(stage, &buffer)?;
    let began_ns = report::now_ns();
    buffer.write_pages();
    let copied = before.moved(&frames(&buffer)?);
    let count = copied.len() as u64;
    stage.note(Kind::CowAfterPin, Touch::Write, count, buffer.address(), copied);
    stage.step("write", &[("pages_copied", count)], began_ns)?;
    stage.touched()?;
    waiting.finish(stage)?;
    stage.end()
}

/// The second half is unmapped: the call goes on with pages to which no address leads any more.
pub(super) fn unmap(stage: &mut Stage) -> Result<()> {
    let mut buffer = Buffer::new(stage.wanted(Sharing::Private))?;
    let waiting = start(stage, &buffer)?;
    let (from, end) = (second_half(&buffer), buffer.bytes() / PAGE);
    let began_ns = report::now_ns();
    buffer.unmap_from(from * PAGE)?;
    stage.note(
        Kind::MappingTouched,
        Touch::Munmap,
        1,
        buffer.address(),
        from..end,
    );
    stage.step("munmap", &[], began_ns)?;
    stage.touched()?;
    waiting.finish(stage)?;
    stage.end()
}
