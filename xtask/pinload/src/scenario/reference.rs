//! FOLL_GET references, which are no pins, of a pipe on spliced pages.

use super::pinned::{Pinned, frames};
use super::quiet::fork_and_write;
use super::scenario_run::ScenarioRun;
use crate::child::{self, ForkedChild, ParentLink};
use crate::choice::PinKind;
use crate::failure::Result;
use crate::memory::{Buffer, Sharing};
use crate::report;
use crate::workload::Vmsplice;

/// The parent writes while the child, which touches nothing, is alive: the pipe keeps the old frames.
pub(super) fn fork_write(run: &mut ScenarioRun) -> Result<()> {
    let mut referenced = reference(run)?;
    let began_ns = report::now_ns();
    let child = ForkedChild::fork(ParentLink::wait)?;
    let changed = referenced.frames().changed(&frames(referenced.buffer()?)?);
    let seen = [
        ("child_pid", u64::from(child.pid().as_raw().unsigned_abs())),
        ("pages_changed", changed.len() as u64),
    ];
    run.step("fork", &seen, began_ns)?;
    referenced.write(run)?;
    child::check(child.finish()?)?;
    run.changed()?;
    referenced.release(run)?;
    run.end()
}

/// The pipe is empty when the pages are copied.
pub(super) fn quiet(run: &ScenarioRun) -> Result<()> {
    let mut referenced = reference(run)?;
    referenced.release(run)?;
    fork_and_write(run, referenced.buffer()?)?;
    run.changed()?;
    run.end()
}

/// Splices the pages into a pipe, prints `ready`, and waits.
fn reference(run: &ScenarioRun) -> Result<Pinned<Vmsplice>> {
    let buffer = Buffer::new(run.wanted(Sharing::Private))?;
    Pinned::on(PinKind::Vmsplice, Vmsplice::new(buffer))?.ready(run)
}
