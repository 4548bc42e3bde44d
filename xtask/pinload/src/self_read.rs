//! process_vm_readv from this process's own memory, which pins the pages to read during the call.

use std::io::IoSliceMut;

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::getpid;

use crate::memory::PAGE;

/// Pins `bytes` bytes at `source`, and copies one page of them to the page at `target`. Returns the bytes that were read.
pub(crate) fn read_page(target: usize, source: usize, bytes: usize) -> nix::Result<usize> {
    let pointer: *mut u8 = std::ptr::with_exposed_provenance_mut(target);
    // SAFETY: each caller passes a mapped page that nothing else refers to during the call.
    let local = unsafe { std::slice::from_raw_parts_mut(pointer, PAGE) };
    let remote = [RemoteIoVec {
        base: source,
        len: bytes,
    }];
    process_vm_readv(getpid(), &mut [IoSliceMut::new(local)], &remote)
}
