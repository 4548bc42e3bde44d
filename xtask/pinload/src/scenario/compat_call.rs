//! A pin by a system call of 32-bit x86, in whose registers a 64-bit call would have another descriptor.

use super::expected::{ExpectedKind, ExpectedTrigger};
use super::pinned::Pinned;
use super::scenario_run::ScenarioRun;
use crate::choice::PinKind;
use crate::failure::Result;
use crate::memory::{Buffer, Sharing};
use crate::report;
use crate::workload::IoUringBuffers;

/// Registers the buffer by `int 0x80`, closes the descriptor of the other ring, and unmaps the buffer. The pins belong to
/// the open ring, so they last.
pub(super) fn unmap(run: &mut ScenarioRun) -> Result<()> {
    let decoy = IoUringBuffers::make_ring()?;
    let buffers = IoUringBuffers::by_compat_call(Buffer::new(run.wanted(Sharing::Private))?, &decoy)?;
    let mut pinned = Pinned::on(PinKind::IoUring, buffers)?.ready(run)?;
    let before = pinned.frames();
    let began_ns = report::now_ns();
    drop(decoy);
    run.step("close", &[], began_ns)?;
    let began_ns = report::now_ns();
    pinned.buffer()?.unmap()?;
    let what = (ExpectedKind::MappingTouched, ExpectedTrigger::Munmap);
    let lost = pinned.lost_since(run, what, &before)?;
    run.step("munmap", &[("pages_changed", lost)], began_ns)?;
    run.changed()?;
    pinned.release(run)?;
    run.end()
}
