//! The process that writes to the memory of a scenario.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use nix::unistd::getppid;

use super::memory_arguments::Writer;
use crate::child::{self, ForkedChild, run_as_sibling};
use crate::failure::{Explain, Result};
use crate::memory::{Buffer, PAGE};

/// A writer that is ready to write.
pub(super) enum ReadyWriter {
    Own,
    Sibling,
    /// A child that waits.
    ProcMem(ForkedChild),
}

impl ReadyWriter {
    /// Makes a writer ready. The process must have only one thread.
    pub(super) fn new(writer: Writer, buffer: &Buffer) -> Result<Self> {
        let (address, bytes) = (buffer.address(), buffer.bytes());
        Ok(match writer {
            Writer::Own => Self::Own,
            Writer::Sibling => Self::Sibling,
            Writer::ProcMem => Self::ProcMem(ForkedChild::fork(move |parent| {
                parent.wait()?;
                write_to_parent(address, bytes)
            })?),
        })
    }

    /// Writes to each page of the buffer.
    pub(super) fn write(self, buffer: &Buffer) -> Result<()> {
        match self {
            Self::Own => buffer.write_pages(),
            Self::Sibling => run_as_sibling(|| buffer.write_pages())?,
            Self::ProcMem(child) => child::check(child.finish()?)?,
        }
        Ok(())
    }
}

/// Writes to each page of a range of the parent's memory.
fn write_to_parent(address: usize, bytes: usize) -> Result<()> {
    const REMEDY: &str = "run as root, on a kernel that lets root write to the memory of other processes";
    let path = format!("/proc/{}/mem", getppid());
    let memory = OpenOptions::new()
        .write(true)
        .open(&path)
        .unavailable(&format!("cannot open {path}"), REMEDY)?;
    for page in (address..address + bytes).step_by(PAGE) {
        memory
            .write_all_at(&[0x70], page as u64)
            .unavailable(&format!("cannot write to {path}"), REMEDY)?;
    }
    Ok(())
}
