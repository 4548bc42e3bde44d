//! process_vm_readv: pins on the memory of another process, taken and released within the call.

use std::io::{IoSliceMut, Read};

use nix::sys::uio::{RemoteIoVec, process_vm_readv};

use super::{Workload, WorkloadInfo, counted_for_reading};
use crate::child::ForkedChild;
use crate::failure::{Explain, Failure, Result};
use crate::kernel::KernelRelease;
use crate::memory::{Buffer, MemorySpec, PAGE};
use crate::pins::PinCounts;

const REMEDY: &str = "run as root, or allow process_vm_readv with sysctl kernel.yama.ptrace_scope=0";

/// A child with memory, and a local buffer for the bytes read.
pub(super) struct ProcessVm {
    child: Option<ForkedChild>,
    address: usize,
    memory: MemorySpec,
    local: Vec<u8>,
    repeat: u64,
}

impl ProcessVm {
    /// Forks the child and waits until its memory is mapped. The caller must not have started a thread.
    pub(super) fn new(memory: MemorySpec, repeat: u64) -> Result<Self> {
        let mut child = ForkedChild::fork(move |parent| {
            let buffer = Buffer::new(memory)?;
            parent.send(&(buffer.address() as u64).to_ne_bytes())?;
            parent.wait()
        })?;
        let mut address = [0; 8];
        if child.messages().read_exact(&mut address).is_err() {
            // The child has printed the reason, and the exit code of the child is the code of the failure.
            let code = child.finish()?;
            return Err(Failure {
                code,
                ..Failure::failed("the child got no memory", "see its message")
            });
        }
        let address = usize::try_from(u64::from_ne_bytes(address)).unwrap_or(0);
        let bytes = usize::try_from(memory.pages).unwrap_or(0) * PAGE;
        Ok(Self {
            child: Some(child),
            address,
            memory,
            local: vec![1; bytes],
            repeat,
        })
    }

    fn finish(&mut self) -> Result<()> {
        if let Some(child) = self.child.take() {
            child.finish()?;
        }
        Ok(())
    }
}

impl Workload for ProcessVm {
    fn pin(&mut self) -> Result<PinCounts> {
        let child = self
            .child
            .as_ref()
            .ok_or_else(|| Failure::failed("the child has ended", "pin before releasing"))?;
        let length = self.local.len();
        let remote = [RemoteIoVec {
            base: self.address,
            len: length,
        }];
        for _ in 0..self.repeat {
            let copied = process_vm_readv(child.pid(), &mut [IoSliceMut::new(&mut self.local)], &remote)
                .failing("cannot read the child's memory", REMEDY)?;
            if copied != length {
                return Err(Failure::failed(
                    format!("process_vm_readv read {copied} of {length} bytes"),
                    "ask for fewer --pages",
                ));
            }
        }
        let pins = self.memory.pages * self.repeat;
        Ok(PinCounts::transient(counted_for_reading(
            self.memory,
            pins,
            KernelRelease::running()?,
        )))
    }

    fn unpin(&mut self) -> Result<()> {
        self.finish()
    }

    fn close(&mut self) -> Result<()> {
        self.finish()
    }

    fn info(&self) -> WorkloadInfo {
        WorkloadInfo {
            address: self.address,
            target_pid: self.child.as_ref().map(|child| child.pid().as_raw()),
            ..WorkloadInfo::default()
        }
    }

    fn buffer(&mut self) -> Option<&mut Buffer> {
        None
    }
}
