//! The kinds of pins: one file for each kind, with one common trait.
//!
//! A workload pins, unpins and closes, and knows the counts that /proc/vmstat must show.

mod af_xdp;
mod buffer_update;
mod compat_register;
mod direct;
mod io_uring;
mod process_vm;
pub(crate) mod rdma;
mod registered_ring;
mod udmabuf;
pub(crate) mod vfio;
mod vmsplice;
mod zerocopy;

pub(crate) use self::af_xdp::{Umem, open_socket as open_xdp_socket};
pub(crate) use self::direct::open as open_direct;
pub(crate) use self::io_uring::IoUringBuffers;
pub(crate) use self::udmabuf::Udmabuf;
pub(crate) use self::vmsplice::Vmsplice;

use std::os::fd::RawFd;

use crate::choice::Backing;
use crate::failure::Result;
use crate::kernel::KernelRelease;
use crate::memory::{Buffer, FirstTouch, MemorySpec, Sharing};
use crate::pins::PinCounts;
use crate::plan::{PinMethod, WorkloadPlan};

/// One way of pinning one range of memory.
pub(crate) trait Workload: Send {
    /// Takes the pins. Also releases the pins if one call does both.
    fn pin(&mut self) -> Result<PinCounts>;
    /// Releases the pins by the call that undoes the pin, or by closing if there is no such call.
    fn unpin(&mut self) -> Result<()>;
    /// Releases the pins by closing the descriptor.
    fn close(&mut self) -> Result<()>;
    /// Returns the details for the printed lines.
    fn info(&self) -> WorkloadInfo;
    /// The pinned memory, if it belongs to this process.
    fn buffer(&mut self) -> Option<&mut Buffer>;
}

/// The details of a workload for the printed lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WorkloadInfo {
    /// First byte of the pinned range.
    pub(crate) address: usize,
    /// The descriptor on which the pins are taken, while it is open.
    pub(crate) descriptor: Option<RawFd>,
    /// The process that owns the memory, if it is another process.
    pub(crate) target_pid: Option<i32>,
    /// The process that created the ring, if it is another process.
    pub(crate) ring_owner_pid: Option<i32>,
    /// `unpin` releases the pins from a work queue.
    pub(crate) unpin_is_deferred: bool,
    /// `close` and the exit of the process release the pins from a work queue.
    pub(crate) close_is_deferred: bool,
}

/// Creates the workload of `plan` with separate memory. `index` distinguishes the workloads of a run.
pub(crate) fn prepare(plan: &WorkloadPlan, index: u32) -> Result<Box<dyn Workload>> {
    if let PinMethod::ProcessVm { repeat } = plan.method {
        return Ok(Box::new(process_vm::ProcessVm::new(plan.memory(), repeat)?));
    }
    prepare_on(plan, Buffer::new(plan.memory())?, index)
}

/// Creates the workload of `plan` on existing memory.
pub(crate) fn prepare_on(plan: &WorkloadPlan, buffer: Buffer, index: u32) -> Result<Box<dyn Workload>> {
    Ok(match &plan.method {
        PinMethod::IoUring {
            buffers,
            registered_ring,
            ..
        } => {
            let workload = IoUringBuffers::new(buffer, *buffers)?;
            Box::new(workload.by_registered_ring(*registered_ring))
        }
        PinMethod::AfXdp => Box::new(Umem::new(buffer)?),
        PinMethod::ProcessVm { repeat } => Box::new(process_vm::ProcessVm::new(plan.memory(), *repeat)?),
        PinMethod::DirectRead(arguments) => Box::new(direct::Direct::reading(buffer, arguments, index)?),
        PinMethod::DirectWrite(arguments) => Box::new(direct::Direct::writing(buffer, arguments, index)?),
        PinMethod::Udmabuf => Box::new(Udmabuf::new(buffer)?),
        PinMethod::Vfio => Box::new(vfio::Vfio::new(buffer)?),
        PinMethod::Rdma => Box::new(rdma::Rdma::new(buffer)?),
        PinMethod::Vmsplice => Box::new(Vmsplice::new(buffer)),
        PinMethod::Zerocopy => Box::new(zerocopy::Zerocopy::new(buffer)?),
    })
}

/// Returns the number of `pins` page references that the kernel counts if it pins `memory` only for reading.
///
/// Private memory that was never written maps the zero page, which newer kernels do not count. The huge zero
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

/// Checks that the pin faulted in huge pages, if the memory was not written before.
fn verify_late(buffer: &Buffer) -> Result<()> {
    let memory = buffer.wanted();
    if memory.backing == Backing::Thp && memory.first_touch != FirstTouch::Write {
        buffer.verify_huge()?;
    }
    Ok(())
}
