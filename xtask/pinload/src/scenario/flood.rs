//! A process that changes its own mapping so often that its records could fill the tracer's buffer, beside this process.

use std::io::Read;

use super::expected::ExpectedTrigger;
use super::pinned::Pinned;
use super::scenario_run::ScenarioRun;
use crate::child::{self, ForkedChild, ParentLink};
use crate::choice::PinKind;
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, Sharing};
use crate::report;
use crate::workload::IoUringBuffers;

/// Changes of the child before this process acts: more than a ring buffer of 4 MiB has room for.
const BEFORE: u64 = 40_000;
/// Changes of the child afterwards.
const AFTER: u64 = 4_000;

/// Pins and unmaps while the child floods.
pub(super) fn with_victim(run: &mut ScenarioRun) -> Result<()> {
    play(run, |run, pinned| {
        let began_ns = report::now_ns();
        pinned.buffer()?.remap_in_place()?;
        pinned.changed_by(run, ExpectedTrigger::Munmap, pinned.all());
        run.step("munmap", &[], began_ns)
    })
}

/// Control: pins, and changes nothing, while the child floods.
pub(super) fn alone(run: &mut ScenarioRun) -> Result<()> {
    play(run, |_, _| Ok(()))
}

fn play(run: &mut ScenarioRun, act: impl FnOnce(&mut ScenarioRun, &mut Pinned) -> Result<()>) -> Result<()> {
    let began_ns = report::now_ns();
    let mut child = ForkedChild::fork(|parent| flood(run, parent))?;
    let mut pinned = Pinned::new(run, Buffer::new(run.wanted(Sharing::Private))?)?;
    child.resume()?;
    if child.messages().read_exact(&mut [0]).is_err() {
        child::check(child.finish()?)?;
        return Err(Failure::failed(
            "the child ended without a message",
            "see its message",
        ));
    }
    // The key is not `child_pid`, because the findings of this child depend on timing.
    let flooder = u64::from(child.pid().as_raw().unsigned_abs());
    run.step(
        "flood",
        &[("flooder_pid", flooder), ("changes", BEFORE)],
        began_ns,
    )?;
    act(run, &mut pinned)?;
    child::check(child.finish()?)?;
    run.changed()?;
    pinned.release(run)?;
    run.end()
}

/// Pins, and protects the pinned pages again and again.
fn flood(run: &ScenarioRun, parent: &ParentLink) -> Result<()> {
    let buffer = Buffer::new(run.wanted(Sharing::Private))?;
    let mut pinned = Pinned::on(PinKind::IoUring, IoUringBuffers::new(buffer, 1)?)?;
    parent.wait()?;
    protect(&mut pinned, BEFORE)?;
    parent.send(&[1])?;
    protect(&mut pinned, AFTER)?;
    parent
        .wait()
        .failing("cannot wait for the parent", "see its message")
}

/// Makes the pinned pages read-only and writable again, until `changes` changes are made.
fn protect(pinned: &mut Pinned, changes: u64) -> Result<()> {
    let buffer = pinned.buffer()?;
    for _ in 0..changes / 2 {
        buffer.protect(false)?;
        buffer.protect(true)?;
        // Only present writable pages change again.
        buffer.write_pages();
    }
    Ok(())
}
