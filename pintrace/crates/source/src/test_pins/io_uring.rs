//! A buffer that is registered with an io_uring and unregistered again, by system calls: the ring needs no queues in
//! user space.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::own_pages::OwnPages;
use super::path::{checked, failed};

/// Bytes of `struct io_uring_params` (include/uapi/linux/io_uring.h), in words.
const PARAMETER_WORDS: usize = 120 / 4;
/// Operations of io_uring_register(2).
const REGISTER_BUFFERS: u32 = 0;
const UNREGISTER_BUFFERS: u32 = 1;

/// Registers one buffer of `pages` pages, and unregisters the buffer. The error is a reason to skip the test.
pub(super) fn register_and_unregister(pages: usize) -> Result<(), String> {
    let own = OwnPages::map(pages).map_err(failed("mmap"))?;
    let ring = ring()?;
    let buffer = own.vector(pages);
    register(&ring, REGISTER_BUFFERS, &raw const buffer, 1)?;
    register(&ring, UNREGISTER_BUFFERS, std::ptr::null(), 0)
}

fn ring() -> Result<OwnedFd, String> {
    let mut parameters = [0u32; PARAMETER_WORDS];
    // SAFETY: the kernel reads and writes one `struct io_uring_params`, which the array has room for.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1u32, parameters.as_mut_ptr()) };
    let fd = checked(fd).map_err(failed("io_uring_setup"))?;
    let fd = i32::try_from(fd).map_err(|_| "io_uring_setup: no descriptor".to_owned())?;
    // SAFETY: the descriptor is new and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn register(ring: &OwnedFd, operation: u32, vectors: *const libc::iovec, count: u32) -> Result<(), String> {
    // SAFETY: `vectors` points to `count` vectors of live memory.
    let result = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            ring.as_raw_fd(),
            operation,
            vectors,
            count,
        )
    };
    checked(result).map_err(failed("io_uring_register")).map(drop)
}
