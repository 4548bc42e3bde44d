//! Fixed buffers of an io_uring: pins that last until the buffers are unregistered or the ring is released.

use std::os::fd::{AsRawFd, RawFd};

use io_uring::IoUring;
use nix::libc::iovec;

use super::{Workload, WorkloadInfo, verify_late};
use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};
use crate::kernel::KernelRelease;
use crate::memory::{Buffer, HUGE, PAGE};
use crate::pins::PinCounts;

const NO_RING: &str = "allow io_uring with sysctl kernel.io_uring_disabled=0, or run as root";
const NO_MEMLOCK: &str = "raise the limit of locked memory (ulimit -l), or run as root";

/// A ring, and the memory registered with it.
pub(crate) struct IoUringBuffers {
    ring: Option<IoUring>,
    buffer: Buffer,
    buffers: usize,
    ring_owner_pid: Option<i32>,
}

impl IoUringBuffers {
    /// Creates a ring for the buffer.
    pub(crate) fn new(buffer: Buffer, buffers: u64) -> Result<Self> {
        Ok(Self::on_ring(Self::make_ring()?, buffer, buffers, None))
    }

    /// Uses a ring that `ring_owner_pid` created and this process inherited.
    pub(crate) fn on_ring(ring: IoUring, buffer: Buffer, buffers: u64, ring_owner_pid: Option<i32>) -> Self {
        let buffers = usize::try_from(buffers).unwrap_or(usize::MAX);
        Self {
            ring: Some(ring),
            buffer,
            buffers,
            ring_owner_pid,
        }
    }

    /// Creates a small ring without registered buffers.
    pub(crate) fn make_ring() -> Result<IoUring> {
        IoUring::new(8).unavailable("cannot create an io_uring", NO_RING)
    }

    /// Returns the descriptor of the ring, while the ring is open.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        self.ring.as_ref().map(AsRawFd::as_raw_fd)
    }

    fn ring(&self) -> Result<&IoUring> {
        self.ring
            .as_ref()
            .ok_or_else(|| Failure::failed("the ring is closed", "pin before closing"))
    }

    /// Unregisters one of the buffers, which leaves an empty slot in the buffer table. Returns the number of its pins,
    /// if known. The kernel may release the pins from a work queue.
    pub(crate) fn release_one(&self, index: u32) -> Result<Option<u64>> {
        let none = iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        };
        // SAFETY: the vector is empty, and no request uses the old buffer.
        unsafe {
            self.ring()?
                .submitter()
                .register_buffers_update(index, &[none], None)
        }
        .unavailable(
            &format!("cannot unregister buffer {index} alone"),
            "use kernel 5.13 or later, which can update registered buffers",
        )?;
        Ok(self.held_by(KernelRelease::running()?, index as usize))
    }

    /// Returns the number of lasting pins.
    fn held(&self, kernel: KernelRelease) -> Option<u64> {
        (0..self.buffers).map(|index| self.held_by(kernel, index)).sum()
    }

    /// Returns the pins of one buffer: one for each page, or one for each large folio.
    fn held_by(&self, kernel: KernelRelease, index: usize) -> Option<u64> {
        let each = self.buffer.bytes() / self.buffers;
        let pages = (each / PAGE) as u64;
        if self.buffer.wanted().backing == Backing::Small {
            return Some(pages);
        }
        kernel.io_uring_coalesces().map(|coalesces| {
            if coalesces {
                huge_pages_spanned(index * each, each)
            } else {
                pages
            }
        })
    }
}

/// Returns the number of huge pages that `length` bytes from `offset` on cover in part or whole.
fn huge_pages_spanned(offset: usize, length: usize) -> u64 {
    ((offset + length).div_ceil(HUGE) - offset / HUGE) as u64
}

impl Workload for IoUringBuffers {
    fn pin(&mut self) -> Result<PinCounts> {
        let each = self.buffer.bytes() / self.buffers;
        let vectors: Vec<iovec> = (0..self.buffers)
            .map(|index| iovec {
                iov_base: std::ptr::with_exposed_provenance_mut(self.buffer.address() + index * each),
                iov_len: each,
            })
            .collect();
        // SAFETY: the buffer outlives the registration. If a change unmaps the buffer, the kernel's pins keep
        // the pages. No request ever uses the registered buffers.
        unsafe { self.ring()?.submitter().register_buffers(&vectors) }.failing(
            &format!("cannot register {} buffers of {each} bytes", self.buffers),
            NO_MEMLOCK,
        )?;
        verify_late(&self.buffer)?;
        let held = self.held(KernelRelease::running()?);
        Ok(PinCounts::lasting(
            Some((self.buffer.bytes() / PAGE) as u64),
            held,
        ))
    }

    fn unpin(&mut self) -> Result<()> {
        self.ring()?
            .submitter()
            .unregister_buffers()
            .failing("cannot unregister the buffers", "report this as a bug of pinload")
    }

    fn close(&mut self) -> Result<()> {
        self.ring = None;
        Ok(())
    }

    fn info(&self) -> WorkloadInfo {
        WorkloadInfo {
            address: self.buffer.address(),
            ring_owner_pid: self.ring_owner_pid,
            close_is_deferred: true,
            ..WorkloadInfo::default()
        }
    }

    fn buffer(&mut self) -> Option<&mut Buffer> {
        Some(&mut self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_across_two_huge_pages_spans_both() {
        assert_eq!(huge_pages_spanned(0, 64 * PAGE), 1);
        assert_eq!(huge_pages_spanned(0, HUGE), 1);
        assert_eq!(huge_pages_spanned(HUGE - PAGE, 2 * PAGE), 2);
    }
}
