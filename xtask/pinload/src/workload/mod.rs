//! The kinds of pins, one file each, behind one small interface.
//!
//! A workload pins, undoes and closes, and knows what the kernel's books will show for it. It neither waits
//! nor reports.

mod af_xdp;
mod direct;
mod io_uring;
mod process_vm;
mod udmabuf;
mod vfio;
mod vmsplice;
mod zerocopy;

pub(crate) use self::io_uring::IoUringBuffers;
pub(crate) use self::vmsplice::Vmsplice;

use crate::choice::Backing;
use crate::failure::Result;
use crate::kernel::KernelRelease;
use crate::memory::{Buffer, FirstTouch, MemorySpec, Sharing};
use crate::pins::PinCounts;
use crate::plan::{PinMethod, WorkloadPlan};

/// One way of pinning one range of memory.
pub(crate) trait Workload: Send {
    /// Takes the pins (and gives them back, where one call does both).
    fn pin(&mut self) -> Result<PinCounts>;
    /// Gives the pins back by the call that undoes them; by closing, where there is none.
    fn unpin(&mut self) -> Result<()>;
    /// Gives the pins back by closing the descriptor.
    fn close(&mut self) -> Result<()>;
    /// What a report says about it.
    fn info(&self) -> WorkloadInfo;
    /// The pinned memory, where it is of this process.
    fn buffer(&mut self) -> Option<&mut Buffer>;
}

/// What a report says about a workload.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WorkloadInfo {
    /// First byte of the pinned range.
    pub(crate) address: usize,
    /// Process whose memory it is, if another one.
    pub(crate) target_pid: Option<i32>,
    /// Process that made the ring, if another one.
    pub(crate) ring_owner_pid: Option<i32>,
    /// `unpin` leaves the release to a work queue.
    pub(crate) unpin_is_deferred: bool,
    /// `close` and the process's end leave the release to a work queue.
    pub(crate) close_is_deferred: bool,
}

/// Makes the workload of `plan` with memory of its own; `index` tells siblings apart.
pub(crate) fn prepare(plan: &WorkloadPlan, index: u32) -> Result<Box<dyn Workload>> {
    if let PinMethod::ProcessVm { repeat } = plan.method {
        return Ok(Box::new(process_vm::ProcessVm::new(plan.memory(), repeat)?));
    }
    prepare_on(plan, Buffer::new(plan.memory())?, index)
}

/// Makes the workload of `plan` on memory that exists.
pub(crate) fn prepare_on(plan: &WorkloadPlan, buffer: Buffer, index: u32) -> Result<Box<dyn Workload>> {
    Ok(match &plan.method {
        PinMethod::IoUring { buffers, .. } => Box::new(IoUringBuffers::new(buffer, *buffers)?),
        PinMethod::AfXdp => Box::new(af_xdp::Umem::new(buffer)?),
        PinMethod::ProcessVm { repeat } => Box::new(process_vm::ProcessVm::new(plan.memory(), *repeat)?),
        PinMethod::DirectRead(arguments) => Box::new(direct::Direct::reading(buffer, arguments, index)?),
        PinMethod::DirectWrite(arguments) => Box::new(direct::Direct::writing(buffer, arguments, index)?),
        PinMethod::Udmabuf => Box::new(udmabuf::Udmabuf::new(buffer)?),
        PinMethod::Vfio => Box::new(vfio::Vfio::new(buffer)?),
        PinMethod::Vmsplice => Box::new(Vmsplice::new(buffer)),
        PinMethod::Zerocopy => Box::new(zerocopy::Zerocopy::new(buffer)?),
    })
}

/// How many of `pins` page references the kernel counts when it pins `memory` for reading only.
///
/// Private memory that nobody wrote maps the zero page, which newer kernels leave uncounted; the huge zero
/// page, which transparent huge pages get, is counted (measured from 5.10 to 7.3).
fn counted_for_reading(memory: MemorySpec, pins: u64, kernel: KernelRelease) -> Option<u64> {
    let zero = memory.sharing == Sharing::Private && memory.first_touch != FirstTouch::Write;
    match memory.backing {
        Backing::Small if zero => kernel
            .counts_zero_page()
            .map(|counts| if counts { pins } else { 0 }),
        _ => Some(pins),
    }
}

/// Checks huge pages that only the pin could fault in.
fn verify_late(buffer: &Buffer) -> Result<()> {
    let memory = buffer.wanted();
    if memory.backing == Backing::Thp && memory.first_touch != FirstTouch::Write {
        buffer.verify_huge()?;
    }
    Ok(())
}
