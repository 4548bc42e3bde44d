//! Partial release of pins that were taken together.

use super::expected::{ExpectedKind, ExpectedTrigger};
use super::mapping::second_half;
use super::pinned::{Pinned, frames};
use super::scenario_run::ScenarioRun;
use crate::choice::PinKind;
use crate::failure::{Failure, Result};
use crate::memory::{Buffer, PAGE, Sharing};
use crate::pins::PinCounts;
use crate::report;
use crate::vmstat::PinCounters;
use crate::workload::IoUringBuffers;

/// Releases and unmaps the second of two adjoining buffers.
pub(super) fn release(run: &mut ScenarioRun) -> Result<()> {
    let buffer = Buffer::new(run.wanted(Sharing::Private))?;
    let buffers = IoUringBuffers::new(buffer, 2)?;
    let mut pinned = Pinned::on(PinKind::IoUring, buffers)?.ready(run)?;
    release_second(run, &mut pinned)?;
    let began_ns = report::now_ns();
    let from = second_half(pinned.buffer()?);
    pinned.buffer()?.unmap_from(from * PAGE)?;
    // Only the first half is still mapped.
    let changed = pinned.frames().changed(&frames(pinned.buffer()?)?);
    let seen = [("pages_changed", changed.len() as u64)];
    let base = pinned.held().address;
    run.note(
        ExpectedKind::MappingTouched,
        ExpectedTrigger::Munmap,
        1,
        base,
        changed,
    );
    run.step("munmap", &seen, began_ns)?;
    run.changed()?;
    pinned.release(run)?;
    run.end()
}

/// Releases the second buffer, and waits for the release of its pins, which the kernel may do from a work queue.
pub(super) fn release_second(run: &ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    let vmstat = PinCounters::read()?;
    // If the number of pins is not known, at least one release is expected.
    let least = pinned.workload().release_one(1)?.unwrap_or(1);
    let wanted = PinCounts {
        released: Some(least),
        ..PinCounts::default()
    };
    let released = vmstat.settle(wanted)?.released.unwrap_or(0);
    if released < least {
        return Err(Failure::failed(
            format!("the kernel released {released} of the second buffer's {least} pins"),
            "try again when the machine is less busy",
        ));
    }
    run.step("buffers_update", &[("pins_released", released)], began_ns)
}
