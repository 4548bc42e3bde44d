//! A child pins through an io_uring of its parent and exits: the child's address space ends, and the pins last.

use nix::unistd::getpid;

use super::child_pins::ChildPins;
use super::expected::ExpectedKind;
use super::pinned::Pinned;
use super::scenario_run::ScenarioRun;
use crate::child::{self, ForkedChild};
use crate::choice::PinKind;
use crate::failure::{Failure, Result};
use crate::memory::{Buffer, Sharing};
use crate::report;
use crate::vmstat::PinCounters;
use crate::workload::IoUringBuffers;

/// Runs the scenario.
pub(super) fn exit(run: &mut ScenarioRun) -> Result<()> {
    let owner = getpid().as_raw();
    let mut ring = Some(IoUringBuffers::make_ring()?);
    let mut child = ForkedChild::fork(|parent| {
        let ring = ring
            .take()
            .ok_or_else(|| Failure::failed("there is no ring", "report this as a bug"))?;
        let buffer = Buffer::new(run.wanted(Sharing::Private))?;
        let pinned = Pinned::on(
            PinKind::IoUring,
            IoUringBuffers::on_ring(ring, buffer, 1, Some(owner)),
        )?;
        let held = pinned.held();
        // The child did not inherit the mappings of the ring and must not unmap them.
        std::mem::forget(pinned);
        run.ready(held)?;
        ChildPins::send(held, parent)?;
        parent.wait()
    })?;
    let pid = child.pid().as_raw();
    let pins = ChildPins::receive(&mut child);
    let waited = if pins.is_some() { run.wait() } else { Ok(()) };
    let began_ns = report::now_ns();
    child::check(child.finish()?)?;
    waited?;
    let pins = pins.ok_or_else(|| Failure::failed("the child ended without a message", "see its message"))?;
    run.note_holding(ExpectedKind::PinOutlivesMm, pid, pins.address);
    run.step("exit", &[("child_pid", u64::from(pid.unsigned_abs()))], began_ns)?;
    run.changed()?;
    let vmstat = PinCounters::read()?;
    let began_ns = report::now_ns();
    drop(ring);
    // A work queue releases the pins. Until the release, the huge pages are missing from the pool.
    let deferred = !pins.await_release(vmstat)?;
    run.released(pins.range(pid, began_ns), deferred, began_ns)?;
    run.end()
}
