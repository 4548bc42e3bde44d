//! References that are no pins (FOLL_GET): those of a pipe on the pages that were spliced into it.

use super::pinned::{Pinned, frames};
use super::quiet::fork_and_write;
use super::stage::Stage;
use crate::choice;
use crate::failure::Result;
use crate::family::{self, Child, Parent};
use crate::memory::{Buffer, Sharing};
use crate::report;
use crate::workload::Vmsplice;

/// The parent writes while the child, which touches nothing, lives: what the pipe has is what was there before.
pub(super) fn fork_write(stage: &mut Stage) -> Result<()> {
    let mut referenced = reference(stage)?;
    let began_ns = report::now_ns();
    let child = Child::fork(Parent::wait)?;
    let changed = referenced.frames().changed(&frames(referenced.buffer()?)?);
    let seen = [
        ("child_pid", u64::from(child.pid().as_raw().unsigned_abs())),
        ("pages_changed", changed.len() as u64),
    ];
    stage.step("fork", &seen, began_ns)?;
    referenced.write(stage)?;
    family::check(child.finish()?)?;
    stage.touched()?;
    referenced.release(stage)?;
    stage.end()
}

/// The pipe is empty when the pages are copied.
pub(super) fn quiet(stage: &Stage) -> Result<()> {
    let mut referenced = reference(stage)?;
    referenced.release(stage)?;
    fork_and_write(stage, referenced.buffer()?)?;
    stage.touched()?;
    stage.end()
}

/// Has a pipe hold the pages, says so, and waits at the gate.
fn reference(stage: &Stage) -> Result<Pinned<Vmsplice>> {
    let buffer = Buffer::new(stage.wanted(Sharing::Private))?;
    Pinned::on(choice::Kind::Vmsplice, Vmsplice::new(buffer))?.ready(stage)
}
