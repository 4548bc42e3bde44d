//! Pages in pipes: FOLL_GET references that last while the pipe holds the pages, and no pins.

use std::fs::File;
use std::io::{ErrorKind, IoSlice, Read};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, vmsplice};
use nix::unistd::pipe2;

use super::{Workload, WorkloadInfo};
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, PAGE};
use crate::pins::PinCounts;

/// Pages in one pipe, the limit for an unprivileged pipe.
const PIPE_PAGES: usize = 256;
const REMEDY: &str = "ask for fewer --pages, or raise fs.pipe-user-pages-soft";

/// The memory, and the pipes that hold its pages.
pub(crate) struct Vmsplice {
    pipes: Vec<(File, File)>,
    buffer: Buffer,
}

impl Vmsplice {
    /// Returns a workload without pipes.
    pub(crate) const fn new(buffer: Buffer) -> Self {
        Self {
            pipes: Vec::new(),
            buffer,
        }
    }

    fn splice(&mut self, offset: usize, bytes: usize) -> Result<()> {
        let (read, write) =
            pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).failing("cannot create a pipe", REMEDY)?;
        let capacity = i32::try_from(PIPE_PAGES * PAGE).unwrap_or(i32::MAX);
        fcntl(&write, FcntlArg::F_SETPIPE_SZ(capacity)).failing("cannot enlarge a pipe", REMEDY)?;
        let pointer: *const u8 = std::ptr::with_exposed_provenance(self.buffer.address() + offset);
        // SAFETY: the bytes lie inside the buffer, which is mapped and lives as long as `self`.
        let slice = unsafe { std::slice::from_raw_parts(pointer, bytes) };
        let moved = vmsplice(&write, &[IoSlice::new(slice)], SpliceFFlags::empty())
            .failing("cannot splice the pages", REMEDY)?;
        self.pipes.push((read.into(), write.into()));
        if moved != bytes {
            return Err(Failure::failed(
                format!("vmsplice took {moved} of {bytes} bytes"),
                REMEDY,
            ));
        }
        Ok(())
    }
}

impl Workload for Vmsplice {
    fn pin(&mut self) -> Result<PinCounts> {
        let all = self.buffer.bytes();
        for offset in (0..all).step_by(PIPE_PAGES * PAGE) {
            self.splice(offset, (all - offset).min(PIPE_PAGES * PAGE))?;
        }
        Ok(PinCounts::lasting(Some(0), Some(0)))
    }

    fn unpin(&mut self) -> Result<()> {
        let mut sink = vec![0; PIPE_PAGES * PAGE];
        for (read, _) in &self.pipes {
            let mut read: &File = read;
            loop {
                match read.read(&mut sink) {
                    Ok(0) => break,
                    Ok(_) => {}
                    // The pipe is empty.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error).failing("cannot drain a pipe", "report this as a bug"),
                }
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.pipes.clear();
        Ok(())
    }

    fn info(&self) -> WorkloadInfo {
        WorkloadInfo {
            address: self.buffer.address(),
            ..WorkloadInfo::default()
        }
    }

    fn buffer(&mut self) -> Option<&mut Buffer> {
        Some(&mut self.buffer)
    }
}
