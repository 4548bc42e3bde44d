//! Fixed buffers of an io_uring: pins that last until the buffers are unregistered or the ring is released.

use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use io_uring::IoUring;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc::{self, iovec};

use super::buffer_update::BufferUpdate;
use super::{Workload, WorkloadInfo, compat_register, registered_ring, verify_late};
use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};
use crate::kernel::KernelRelease;
use crate::memory::{Buffer, HUGE, PAGE};
use crate::pins::PinCounts;

const NO_RING: &str = "allow io_uring with sysctl kernel.io_uring_disabled=0, or run as root";
const NO_MEMLOCK: &str = "raise the limit of locked memory (ulimit -l), or run as root";
const NO_UPDATE: &str = "use kernel 5.13 or later, which can update registered buffers";
const NO_BUFFER: iovec = iovec {
    iov_base: std::ptr::null_mut(),
    iov_len: 0,
};

/// A ring, and the memory registered with it.
pub(crate) struct IoUringBuffers {
    ring: Option<IoUring>,
    buffer: Buffer,
    /// The registered buffers, as pages of the memory. A buffer without pages was unregistered.
    parts: Vec<Range<usize>>,
    /// Each buffer is registered by a system call of its own.
    one_by_one: bool,
    /// The only buffer is registered by a call of 32-bit x86, with this other descriptor in the first register of a
    /// 64-bit call.
    compat_decoy: Option<RawFd>,
    /// The buffers are registered by a slot of the thread's registered rings.
    by_registered_ring: bool,
    ring_owner_pid: Option<i32>,
}

impl IoUringBuffers {
    /// Creates a ring for the buffer.
    pub(crate) fn new(buffer: Buffer, buffers: u64) -> Result<Self> {
        Ok(Self::on_ring(Self::make_ring()?, buffer, buffers, None))
    }

    /// Creates a ring for parts of the memory, one buffer for each. A part is a range of pages.
    pub(crate) fn of_parts(buffer: Buffer, parts: impl IntoIterator<Item = Range<usize>>) -> Result<Self> {
        Ok(Self {
            parts: parts.into_iter().collect(),
            ..Self::new(buffer, 1)?
        })
    }

    /// Creates a ring that registers each buffer by a system call of its own, with arguments at the same address.
    pub(crate) fn one_by_one(buffer: Buffer, buffers: u64) -> Result<Self> {
        Ok(Self {
            one_by_one: true,
            ..Self::new(buffer, buffers)?
        })
    }

    /// Creates a ring that registers the memory by a call of 32-bit x86. The first register of a 64-bit call then holds the
    /// descriptor of `decoy`.
    pub(crate) fn by_compat_call(buffer: Buffer, decoy: &IoUring) -> Result<Self> {
        Ok(Self {
            compat_decoy: Some(decoy.as_raw_fd()),
            ..Self::new(buffer, 1)?
        })
    }

    /// Registers the buffers by a slot of the thread's registered rings, if `yes`.
    pub(crate) fn by_registered_ring(self, yes: bool) -> Self {
        Self {
            by_registered_ring: yes,
            ..self
        }
    }

    /// Uses a ring that `ring_owner_pid` created and this process inherited.
    pub(crate) fn on_ring(ring: IoUring, buffer: Buffer, buffers: u64, ring_owner_pid: Option<i32>) -> Self {
        let buffers = usize::try_from(buffers).unwrap_or(usize::MAX);
        let each = buffer.bytes() / PAGE / buffers;
        Self {
            ring: Some(ring),
            buffer,
            parts: (0..buffers)
                .map(|index| index * each..(index + 1) * each)
                .collect(),
            one_by_one: false,
            compat_decoy: None,
            by_registered_ring: false,
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
    pub(crate) fn release_one(&mut self, index: u32) -> Result<Option<u64>> {
        // SAFETY: the vector is empty, and no request uses the old buffer.
        unsafe {
            self.ring()?
                .submitter()
                .register_buffers_update(index, &[NO_BUFFER], None)
        }
        .unavailable(&format!("cannot unregister buffer {index} alone"), NO_UPDATE)?;
        let released = std::mem::take(&mut self.parts[index as usize]);
        Ok(self.held_by(KernelRelease::running()?, &released))
    }

    /// Returns true if a registered buffer contains the page.
    pub(crate) fn contains(&self, page: usize) -> bool {
        self.parts.iter().any(|part| part.contains(&page))
    }

    /// Lets the descriptor of the ring stay open when this process executes a new program.
    pub(crate) fn keep_across_exec(&self) -> Result<()> {
        let ring = self.ring()?.as_raw_fd();
        // SAFETY: the ring is open during the call.
        let descriptor = unsafe { BorrowedFd::borrow_raw(ring) };
        fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty()))
            .map(drop)
            .failing("cannot clear FD_CLOEXEC", "report this as a bug of pinload")
    }

    /// Registers a table without buffers, and then one buffer after another.
    fn register_one_by_one(&self, vectors: &[iovec]) -> Result<()> {
        let ring = self.ring()?;
        let table = vec![NO_BUFFER; vectors.len()];
        // SAFETY: the vectors are empty.
        unsafe { ring.submitter().register_buffers(&table) }
            .unavailable("cannot register a table without buffers", NO_UPDATE)?;
        let mut update = BufferUpdate::new();
        for (index, vector) in (0..).zip(vectors) {
            // SAFETY: as in `pin`.
            unsafe { update.register(ring.as_raw_fd(), index, *vector) }
                .unavailable(&format!("cannot register buffer {index} alone"), NO_UPDATE)?;
        }
        Ok(())
    }

    /// Returns the number of lasting pins.
    fn held(&self, kernel: KernelRelease) -> Option<u64> {
        self.parts.iter().map(|part| self.held_by(kernel, part)).sum()
    }

    /// Returns the pins of one buffer: one for each page, or one for each large folio.
    fn held_by(&self, kernel: KernelRelease, part: &Range<usize>) -> Option<u64> {
        let pages = part.len() as u64;
        if self.buffer.wanted().backing == Backing::Small {
            return Some(pages);
        }
        kernel.io_uring_coalesces().map(|coalesces| {
            if coalesces {
                huge_pages_spanned(part.start * PAGE, part.len() * PAGE)
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
        let vector = |part: &Range<usize>| iovec {
            iov_base: std::ptr::with_exposed_provenance_mut(self.buffer.address() + part.start * PAGE),
            iov_len: part.len() * PAGE,
        };
        let vectors: Vec<iovec> = self.parts.iter().map(vector).collect();
        let pages: usize = self.parts.iter().map(Range::len).sum();
        if self.one_by_one {
            self.register_one_by_one(&vectors)?;
        } else if self.by_registered_ring {
            // SAFETY: as below.
            unsafe { registered_ring::register(self.ring()?.as_raw_fd(), &vectors) }?;
        } else if let ([vector], Some(decoy)) = (&vectors[..], self.compat_decoy) {
            // SAFETY: as below.
            unsafe { compat_register::register(self.ring()?.as_raw_fd(), decoy, *vector) }?;
        } else {
            // SAFETY: the buffer outlives the registration. If a change unmaps the buffer, the kernel's pins keep
            // the pages. No request ever uses the registered buffers.
            let registered = unsafe { self.ring()?.submitter().register_buffers(&vectors) };
            let what = format!("cannot register {pages} pages as {} buffers", vectors.len());
            match registered {
                // Older kernels demand one file for a buffer (6.1: `io_pin_pages`, io_uring/rsrc.c).
                Err(error)
                    if error.raw_os_error() == Some(libc::EINVAL) && self.buffer.has_parts_of_file() =>
                {
                    return Err(Failure::unavailable(
                        format!("{what}: this kernel refuses a buffer over mappings of different files"),
                        "use a newer kernel, such as 6.12",
                    ));
                }
                other => other.failing(&what, NO_MEMLOCK)?,
            }
        }
        verify_late(&self.buffer)?;
        let held = self.held(KernelRelease::running()?);
        Ok(PinCounts::lasting(Some(pages as u64), held))
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
            address: self.buffer.address() + self.parts.first().map_or(0, |part| part.start * PAGE),
            descriptor: self.descriptor(),
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
