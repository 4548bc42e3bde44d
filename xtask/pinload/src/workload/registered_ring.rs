//! Registration of buffers through a slot of the thread's registered rings instead of a descriptor.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::libc::{self, iovec};

use crate::failure::{Explain, Result};

const NO_SLOT: &str = "use kernel 5.18 or later (IORING_REGISTER_RING_FDS)";
const NO_CALL: &str = "use kernel 6.3 or later (IORING_REGISTER_USE_REGISTERED_RING)";
/// `IORING_REGISTER_BUFFERS` (include/uapi/linux/io_uring.h).
const BUFFERS: libc::c_uint = 0;
/// `IORING_REGISTER_RING_FDS`.
const RING_FDS: libc::c_uint = 20;
/// `IORING_REGISTER_USE_REGISTERED_RING`.
const USE_REGISTERED_RING: libc::c_uint = 1 << 31;

/// `struct io_uring_rsrc_update`.
#[repr(C)]
struct RingUpdate {
    slot: u32,
    reserved: u32,
    descriptor: u64,
}

/// Registers the ring with the calling thread, and the buffers by the slot of the ring.
///
/// # Safety
///
/// No request uses the buffers, and their memory stays valid while they are registered.
pub(super) unsafe fn register(ring: RawFd, vectors: &[iovec]) -> Result<()> {
    let mut update = RingUpdate {
        // The kernel chooses a slot.
        slot: u32::MAX,
        reserved: 0,
        descriptor: u64::try_from(ring).unwrap_or(u64::MAX),
    };
    // SAFETY: the kernel reads one structure of this size, and writes the slot.
    let registered =
        unsafe { libc::syscall(libc::SYS_io_uring_register, ring, RING_FDS, &raw mut update, 1) };
    Errno::result(registered).unavailable("cannot register the ring with the thread", NO_SLOT)?;
    // SAFETY: the kernel reads the vectors. The caller answers for the memory.
    let registered = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            update.slot,
            BUFFERS | USE_REGISTERED_RING,
            vectors.as_ptr(),
            vectors.len(),
        )
    };
    Errno::result(registered)
        .map(drop)
        .unavailable("cannot register buffers by the slot of a ring", NO_CALL)
}
