//! Memory of this process that a test pins: small, touched pages at their own mapping.

use std::io;

/// Bytes of a page. The start refuses kernels with another size.
pub(super) const PAGE: usize = 4096;

/// An anonymous mapping, which is removed when the value is dropped.
pub(super) struct OwnPages {
    start: *mut libc::c_void,
    bytes: usize,
}

impl OwnPages {
    /// Maps and touches pages. The kernel makes no large folio of them, so that each page is a folio.
    pub(super) fn map(pages: usize) -> io::Result<Self> {
        let bytes = pages * PAGE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let own = Self { start, bytes };
        // A kernel without transparent huge pages refuses the advice, and makes no large folio anyway.
        // SAFETY: the range is the mapping; the advice changes no content.
        unsafe { libc::madvise(start, bytes, libc::MADV_NOHUGEPAGE) };
        // SAFETY: the mapping is writable and has this length.
        unsafe { std::ptr::write_bytes(start.cast::<u8>(), 1, bytes) };
        Ok(own)
    }

    /// Returns the first `pages` pages as a vector for system calls.
    pub(super) fn vector(&self, pages: usize) -> libc::iovec {
        libc::iovec {
            iov_base: self.start,
            iov_len: self.bytes.min(pages * PAGE),
        }
    }
}

impl Drop for OwnPages {
    fn drop(&mut self) {
        // SAFETY: the mapping belongs to this value, and nothing refers to it any more.
        unsafe { libc::munmap(self.start, self.bytes) };
    }
}
