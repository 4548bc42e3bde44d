//! An io_uring by raw system calls: without a mapping of its own, or in memory of this process.

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc::{SYS_io_uring_setup, c_void, syscall};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::ring_parameters::RingParameters;
use crate::failure::{Explain, Result};
use crate::memory::{Buffer, PAGE};

const NO_RING: &str = "allow io_uring with sysctl kernel.io_uring_disabled=0, or run as root";
/// Entries of most rings, which no request ever uses.
const ENTRIES: u32 = 8;
/// Entries of a ring in user memory. The queues of a large ring take several pages.
const MANY_ENTRIES: u32 = 512;

/// A ring.
#[derive(Debug)]
pub(super) struct Ring(OwnedFd);

/// The mapping of a ring's queues.
pub(super) struct QueueMapping(NonNull<c_void>);

impl Ring {
    /// Creates a ring without buffers and without a mapping.
    pub(super) fn new() -> Result<Self> {
        Self::create(ENTRIES, &mut RingParameters::default())
            .unavailable("cannot create an io_uring", NO_RING)
    }

    /// Creates a ring in memory of this process, of 16 pages each. Returns the pages that the ring uses.
    pub(super) fn in_user_memory(queues: &Buffer, entries: &Buffer) -> Result<(Self, u64)> {
        let create = |count| {
            let mut parameters = RingParameters::in_user_memory(queues.address(), entries.address());
            Self::create(count, &mut parameters).map(|ring| (ring, parameters.pages()))
        };
        // Before 6.10, the pages of a ring must adjoin in physical memory.
        create(MANY_ENTRIES).or_else(|_| create(ENTRIES)).unavailable(
            "cannot create an io_uring in user memory",
            "use kernel 6.5 or later (IORING_SETUP_NO_MMAP)",
        )
    }

    fn create(entries: u32, parameters: &mut RingParameters) -> nix::Result<Self> {
        // SAFETY: the kernel reads and writes one `io_uring_params`. The memory that the parameters name is only given
        // to the kernel, and this process does not use it.
        let result = unsafe { syscall(SYS_io_uring_setup, entries, &raw mut *parameters) };
        let descriptor = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
        // SAFETY: the descriptor has just been created; nothing else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Returns another descriptor of the ring.
    pub(super) fn duplicate(&self) -> Result<Self> {
        let descriptor = self.0.try_clone();
        descriptor
            .map(Self)
            .failing("cannot duplicate the ring", "raise ulimit -n")
    }

    /// Maps the queues, whose first page every kernel lets a process map.
    pub(super) fn map_queues(&self) -> Result<QueueMapping> {
        let length = NonZeroUsize::new(PAGE).unwrap_or(NonZeroUsize::MIN);
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a fresh mapping at an address that the kernel chooses. The offset 0 is IORING_OFF_SQ_RING.
        unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, &self.0, 0) }
            .map(QueueMapping)
            .failing("cannot map the ring", "report this as a bug")
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Ring {
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }
}

impl From<Ring> for OwnedFd {
    fn from(ring: Ring) -> Self {
        ring.0
    }
}

impl Drop for QueueMapping {
    fn drop(&mut self) {
        // SAFETY: the mapping belongs to this object. An error is harmless, because the process is about to exit.
        let _ = unsafe { munmap(self.0, PAGE) };
    }
}
