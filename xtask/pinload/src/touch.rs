//! What a process should not do to a range that it has pinned, done on purpose.

use serde::Serialize;

use crate::choice::Touch;
use crate::failure::{Failure, Result};
use crate::family::{self, Child, Parent};
use crate::memory::Buffer;

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
    let before = buffer.frames();
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
    outcome.pages_changed = before
        .zip(buffer.frames())
        .map(|(before, after)| before.changed(&after).len() as u64);
    Ok(outcome)
}

/// The buffer that a touch needs.
pub(crate) fn buffer_of(buffer: Option<&mut Buffer>) -> Result<&mut Buffer> {
    buffer.ok_or_else(|| Failure::usage("this kind pins no memory of this process", "drop --touch"))
}
