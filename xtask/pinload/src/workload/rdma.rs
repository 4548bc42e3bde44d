//! A memory region of RDMA: `ib_umem_get` pins 512 pages a call, until the region is deregistered or its context is
//! closed.
//!
//! The device is the kernel's software RDMA (rdma_rxe) over the loopback interface.

mod rxe;
mod uverbs;

pub(crate) use self::rxe::{make_device, open_context};
pub(crate) use self::uverbs::RdmaContext;

use super::{Workload, WorkloadInfo, verify_late};
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, PAGE};
use crate::pins::PinCounts;

const BUG: &str = "report this as a bug of pinload";

/// A context of a device, and the memory of its region.
pub(super) struct Rdma {
    context: Option<RdmaContext>,
    /// Handle of the region.
    region: Option<u32>,
    buffer: Buffer,
}

impl Rdma {
    /// Makes the device if there is none, and opens a context without a region.
    pub(super) fn new(buffer: Buffer) -> Result<Self> {
        make_device()?;
        Ok(Self {
            context: Some(open_context()?),
            region: None,
            buffer,
        })
    }

    fn context(&self) -> Result<&RdmaContext> {
        let context = self.context.as_ref();
        context.ok_or_else(|| Failure::failed("the context is closed", BUG))
    }
}

impl Workload for Rdma {
    fn pin(&mut self) -> Result<PinCounts> {
        let region = self
            .context()?
            .register(self.buffer.address(), self.buffer.bytes())
            .failing(
                "cannot register the memory",
                "raise the limit of locked memory (ulimit -l)",
            )?;
        self.region = Some(region);
        verify_late(&self.buffer)?;
        let pages = Some((self.buffer.bytes() / PAGE) as u64);
        Ok(PinCounts::lasting(pages, pages))
    }

    fn unpin(&mut self) -> Result<()> {
        let region = self.region.take();
        let region = region.ok_or_else(|| Failure::failed("no memory is registered", BUG))?;
        self.context()?
            .deregister(region)
            .failing("cannot deregister the memory", BUG)
    }

    fn close(&mut self) -> Result<()> {
        self.context = None;
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
