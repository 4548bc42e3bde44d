//! Changes to a pinned range that a process should avoid, and that pinload makes on purpose.

use serde::Serialize;

use crate::child::{self, ForkedChild, ParentLink};
use crate::choice::RangeChange;
use crate::failure::{Failure, Result};
use crate::memory::Buffer;

/// The change and its effect.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RangeChangeReport {
    /// The change.
    kind: RangeChange,
    /// Pages that now have another frame, so that the process and the holder of the pin see different memory. Unknown
    /// without root or after an unmap.
    pages_changed: Option<u64>,
    /// The new address of the range.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_address: Option<String>,
    /// The forked child.
    #[serde(skip_serializing_if = "Option::is_none")]
    child_pid: Option<i32>,
}

/// Applies the change to the range.
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

/// Returns the buffer to change.
pub(crate) fn buffer_of(buffer: Option<&mut Buffer>) -> Result<&mut Buffer> {
    buffer.ok_or_else(|| Failure::usage("this kind pins no memory of this process", "drop --change"))
}
