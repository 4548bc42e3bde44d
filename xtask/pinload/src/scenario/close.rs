//! The close of an io_uring and the unmap of its buffer, in both orders.

use super::expected::{ExpectedKind, ExpectedTrigger};
use super::pinned::Pinned;
use super::scenario_run::ScenarioRun;
use crate::failure::Result;
use crate::memory::{Buffer, PageFrames, Sharing};
use crate::pins::PinCounts;
use crate::report;
use crate::vmstat::PinCounters;

/// Closes the ring, and unmaps the buffer at once: before or after the kernel releases the pins in a work queue.
pub(super) fn close_unmap(run: &mut ScenarioRun) -> Result<()> {
    let (mut pinned, before) = pin(run)?;
    let vmstat = PinCounters::read()?;
    let began_ns = report::now_ns();
    pinned.close()?;
    // No line is printed in between, because it would give the kernel time to release the pins.
    pinned.buffer()?.unmap()?;
    let what = (ExpectedKind::MappingTouchedAfterClose, ExpectedTrigger::Munmap);
    let lost = pinned.lost_since(run, what, &before)?;
    run.step("close-munmap", &[("pages_changed", lost)], began_ns)?;
    released(run, &pinned, vmstat, began_ns)?;
    run.changed()?;
    run.end()
}

/// The other order: unmaps the buffer while it is pinned, then closes the ring.
pub(super) fn unmap_close(run: &mut ScenarioRun) -> Result<()> {
    let (mut pinned, before) = pin(run)?;
    let began_ns = report::now_ns();
    pinned.buffer()?.unmap()?;
    let what = (ExpectedKind::MappingTouched, ExpectedTrigger::Munmap);
    let lost = pinned.lost_since(run, what, &before)?;
    run.step("munmap", &[("pages_changed", lost)], began_ns)?;
    run.changed()?;
    let vmstat = PinCounters::read()?;
    let began_ns = report::now_ns();
    pinned.close()?;
    released(run, &pinned, vmstat, began_ns)?;
    run.end()
}

fn pin(run: &ScenarioRun) -> Result<(Pinned, PageFrames)> {
    let pinned = Pinned::new(run, Buffer::new(run.wanted(Sharing::Private))?)?;
    let before = pinned.frames();
    Ok((pinned, before))
}

/// Waits until the kernel has released the pins of the closed ring, and prints `released`.
fn released(run: &ScenarioRun, pinned: &Pinned, vmstat: PinCounters, began_ns: u64) -> Result<()> {
    let held = pinned.held();
    let released = PinCounts {
        released: held.pins.held,
        ..PinCounts::default()
    };
    let deferred = !released.agrees_with(vmstat.settle(released)?);
    run.released(held, deferred, began_ns)
}
