//! What a process should not do to a range that it has pinned, done on purpose.

use serde::Serialize;

use crate::child::{self, ForkedChild, ParentLink};
use crate::choice::RangeChange;
use crate::failure::{Failure, Result};
use crate::memory::Buffer;

/// What was done, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RangeChangeReport {
    /// What was done.
    kind: RangeChange,
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
pub(crate) fn apply(buffer: &mut Buffer, kind: RangeChange) -> Result<RangeChangeReport> {
    let before = buffer.frames();
    let mut report = RangeChangeReport {
        kind,
        pages_changed: None,
        new_address: None,
        child_pid: None,
    };
    match kind {
        RangeChange::Munmap => {
            buffer.unmap()?;
            return Ok(report);
        }
        RangeChange::MadviseDontneed => {
            buffer.discard_and_write()?;
        }
        RangeChange::Mprotect => {
            buffer.protect(false)?;
            buffer.protect(true)?;
            buffer.write_pages();
        }
        RangeChange::ForkWrite => {
            let child = ForkedChild::fork(ParentLink::wait)?;
            report.child_pid = Some(child.pid().as_raw());
            buffer.write_pages();
            child::check(child.finish()?)?;
        }
        RangeChange::Mremap => report.new_address = Some(format!("{:#x}", buffer.relocate()?)),
    }
    report.pages_changed = before
        .zip(buffer.frames())
        .map(|(before, after)| before.changed(&after).len() as u64);
    Ok(report)
}

/// The buffer that a touch needs.
pub(crate) fn buffer_of(buffer: Option<&mut Buffer>) -> Result<&mut Buffer> {
    buffer.ok_or_else(|| Failure::usage("this kind pins no memory of this process", "drop --change"))
}
