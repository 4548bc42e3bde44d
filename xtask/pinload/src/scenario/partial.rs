//! Pins that were taken together, of which a part is given back.

use super::mapping::second_half;
use super::pinned::{Pinned, frames};
use super::stage::Stage;
use super::truth::{Kind, Touch};
use crate::books::Books;
use crate::choice;
use crate::failure::{Failure, Result};
use crate::memory::{Buffer, PAGE, Sharing};
use crate::pins::Pins;
use crate::report;
use crate::workload::IoUringBuffers;

/// Of two adjoining buffers the second is taken back, then unmapped.
pub(super) fn release(stage: &mut Stage) -> Result<()> {
    let buffer = Buffer::new(stage.wanted(Sharing::Private))?;
    let buffers = IoUringBuffers::new(buffer, 2)?;
    let mut pinned = Pinned::on(choice::Kind::IoUring, buffers)?.ready(stage)?;
    take_back_second(stage, &pinned)?;
    let began_ns = report::now_ns();
    let from = second_half(pinned.buffer()?);
    pinned.buffer()?.unmap_from(from * PAGE)?;
    // Nothing is left but the first half.
    let changed = pinned.frames().changed(&frames(pinned.buffer()?)?);
    let seen = [("pages_changed", changed.len() as u64)];
    let base = pinned.held().address;
    stage.note(Kind::MappingTouched, Touch::Munmap, 1, base, changed);
    stage.step("munmap", &seen, began_ns)?;
    stage.touched()?;
    pinned.release(stage)?;
    stage.end()
}

/// Returns once its pins are gone: they may be given back from a work queue.
fn take_back_second(stage: &Stage, pinned: &Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    let books = Books::read()?;
    // Where nobody knows how many there were, there was one at least.
    let least = pinned.workload().take_back(1)?.unwrap_or(1);
    let wanted = Pins {
        released: Some(least),
        ..Pins::default()
    };
    let released = books.settle(wanted)?.released.unwrap_or(0);
    if released < least {
        return Err(Failure::failed(
            format!("the kernel gave back {released} of the second buffer's {least} pins"),
            "try again when the machine is less busy",
        ));
    }
    stage.step("buffers_update", &[("pins_released", released)], began_ns)
}
