//! The memory of the cases.

use nix::libc::iovec;

use crate::choice::Backing;
use crate::failure::Result;
use crate::memory::{Buffer, FirstTouch, MemorySpec, PAGE, Sharing};

/// Pages of most buffers.
pub(super) const PAGES: u64 = 64;

/// Maps and writes small pages.
pub(super) fn small(pages: u64, sharing: Sharing) -> Result<Buffer> {
    written(pages, Backing::Small, sharing)
}

/// Maps and writes one huge page.
pub(super) fn huge() -> Result<Buffer> {
    written(512, Backing::Thp, Sharing::Private)
}

fn written(pages: u64, backing: Backing, sharing: Sharing) -> Result<Buffer> {
    Buffer::new(MemorySpec {
        pages,
        backing,
        sharing,
        first_touch: FirstTouch::Write,
    })
}

/// Returns the whole buffer as a vector.
pub(super) fn whole(buffer: &Buffer) -> iovec {
    vector(buffer.address(), buffer.bytes())
}

/// Returns one page of the buffer as a vector.
pub(super) fn page(buffer: &Buffer, index: usize) -> iovec {
    vector(buffer.address() + index * PAGE, PAGE)
}

fn vector(address: usize, length: usize) -> iovec {
    iovec {
        iov_base: std::ptr::with_exposed_provenance_mut(address),
        iov_len: length,
    }
}
