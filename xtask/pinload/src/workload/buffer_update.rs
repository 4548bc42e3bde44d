//! Updates of an io_uring's registered buffers whose arguments all lie at the same addresses, so that only the contents
//! of the arguments distinguish the system calls.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::libc::{self, iovec};

/// `IORING_REGISTER_BUFFERS_UPDATE` (include/uapi/linux/io_uring.h).
const BUFFERS_UPDATE: libc::c_uint = 16;

/// `struct io_uring_rsrc_update2`.
#[repr(C)]
struct RsrcUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
    tags: u64,
    number: u32,
    reserved_too: u32,
}

/// The arguments of the calls.
pub(super) struct BufferUpdate {
    update: Box<RsrcUpdate>,
    vector: Box<iovec>,
}

impl BufferUpdate {
    /// Allocates the arguments.
    pub(super) fn new() -> Self {
        let vector = Box::new(iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        });
        Self {
            update: Box::new(RsrcUpdate {
                offset: 0,
                reserved: 0,
                data: (&raw const *vector).expose_provenance() as u64,
                tags: 0,
                number: 1,
                reserved_too: 0,
            }),
            vector,
        }
    }

    /// Registers a buffer in a slot of the ring's table.
    ///
    /// # Safety
    ///
    /// No request uses the buffer of the slot, and the memory of `buffer` stays valid while it is registered.
    pub(super) unsafe fn register(&mut self, ring: RawFd, slot: u32, buffer: iovec) -> nix::Result<()> {
        *self.vector = buffer;
        self.update.offset = slot;
        let update: *const RsrcUpdate = &raw const *self.update;
        // SAFETY: the kernel reads one structure of this size, and the vector to which the structure points.
        let result = unsafe {
            libc::syscall(
                libc::SYS_io_uring_register,
                ring,
                BUFFERS_UPDATE,
                update,
                size_of::<RsrcUpdate>(),
            )
        };
        Errno::result(result).map(drop)
    }
}
