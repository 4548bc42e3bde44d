//! What a process should not do to a range that it has pinned, done on purpose.

use std::fs::File;
use std::os::unix::fs::FileExt;

use serde::Serialize;

use crate::choice::Touch;
use crate::failure::{Failure, Result};
use crate::family::{self, Child, Parent};
use crate::memory::{Buffer, PAGE};

/// What was done, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    /// What was done.
    kind: Touch,
    /// Pages that lie in another frame now, so that the process and the pin's holder look at different memory;
    /// unknown without root or once unmapped.
    pages_changed: Option<u64>,
    /// Where the range has moved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_address: Option<String>,
    /// The child that was forked.
    #[serde(skip_serializing_if = "Option::is_none")]
    child_pid: Option<i32>,
}

/// Touches the range.
pub(crate) fn apply(buffer: &mut Buffer, kind: Touch) -> Result<Outcome> {
    let before = frames(buffer);
    let mut outcome = Outcome {
        kind,
        pages_changed: None,
        new_address: None,
        child_pid: None,
    };
    match kind {
        Touch::Munmap => {
            buffer.unmap()?;
            return Ok(outcome);
        }
        Touch::MadviseDontneed => {
            buffer.replace()?;
        }
        Touch::Mprotect => {
            buffer.protect(false)?;
            buffer.protect(true)?;
            buffer.write_pages();
        }
        Touch::ForkWrite => {
            let child = Child::fork(Parent::wait)?;
            outcome.child_pid = Some(child.pid().as_raw());
            buffer.write_pages();
            family::check(child.finish()?)?;
        }
        Touch::Mremap => outcome.new_address = Some(format!("{:#x}", buffer.relocate()?)),
    }
    outcome.pages_changed = before.zip(frames(buffer)).map(|(before, after)| {
        before
            .iter()
            .zip(&after)
            .filter(|(before, after)| before != after)
            .count() as u64
    });
    Ok(outcome)
}

/// The frame of each page, as far as the kernel tells (root).
fn frames(buffer: &Buffer) -> Option<Vec<u64>> {
    const PRESENT: u64 = 1 << 63;
    const FRAME: u64 = (1 << 55) - 1;
    let pagemap = File::open("/proc/self/pagemap").ok()?;
    let mut raw = vec![0; buffer.bytes() / PAGE * 8];
    pagemap
        .read_exact_at(&mut raw, (buffer.address() / PAGE * 8) as u64)
        .ok()?;
    let entries: Vec<u64> = raw
        .chunks_exact(8)
        .map(|entry| u64::from_ne_bytes(entry.try_into().unwrap_or_default()))
        .collect();
    let visible = entries
        .iter()
        .any(|entry| entry & PRESENT != 0 && entry & FRAME != 0);
    visible.then(|| {
        entries
            .iter()
            .map(|entry| if entry & PRESENT == 0 { 0 } else { entry & FRAME })
            .collect()
    })
}

/// The buffer that a touch needs.
pub(crate) fn buffer_of(buffer: Option<&mut Buffer>) -> Result<&mut Buffer> {
    buffer.ok_or_else(|| Failure::usage("this kind pins no memory of this process", "drop --touch"))
}
