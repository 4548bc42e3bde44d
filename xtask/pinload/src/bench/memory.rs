//! Operations on memory.

use std::num::NonZeroUsize;
use std::thread;

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::timer::Timer;
use crate::child::ForkedChild;
use crate::choice::Backing;
use crate::failure::{Explain, Result};
use crate::memory::{Buffer, FirstTouch, MemorySpec, PAGE, Sharing};
use crate::workload::{IoUringBuffers, Workload};

/// Pages of one round of faults.
const ROUND: u64 = 1000;
/// Pages of the registered buffer: 64 MiB.
const REGISTERED: u64 = 16_384;
const NO_MEMORY: &str = "give the machine more memory";

/// Writes to each page of fresh memory.
pub(super) fn anonymous_fault(timer: &mut Timer) -> Result<()> {
    keep_idle_thread();
    timer.rounds(
        ROUND,
        || buffer(ROUND, FirstTouch::Nothing),
        |buffer, page| {
            buffer.write_page(page);
            Ok(())
        },
    )
}

/// Writes to each page of memory that a child shares.
pub(super) fn cow_fault(timer: &mut Timer) -> Result<()> {
    let shared = || {
        let buffer = buffer(ROUND, FirstTouch::Write)?;
        // The child of the round before ends here, because its pipe is closed.
        let child = ForkedChild::fork(crate::child::ParentLink::wait)?;
        Ok((buffer, child))
    };
    timer.rounds(ROUND, shared, |(buffer, _), page| {
        buffer.write_page(page);
        Ok(())
    })
}

/// Maps a page, writes to the page, and unmaps it.
pub(super) fn map_touch_unmap(timer: &mut Timer) -> Result<()> {
    keep_idle_thread();
    let length = NonZeroUsize::new(PAGE).unwrap_or(NonZeroUsize::MIN);
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    timer.repeat(|| {
        // SAFETY: a fresh mapping at an address that the kernel chooses; nothing else refers to the mapping.
        unsafe {
            let page = mmap_anonymous(None, length, access, MapFlags::MAP_PRIVATE)
                .failing("cannot map a page", NO_MEMORY)?;
            page.cast::<u8>().write_volatile(1);
            munmap(page, PAGE).failing("cannot unmap a page", NO_MEMORY)
        }
    })
}

/// Discards a page and writes to it.
pub(super) fn discard_touch(timer: &mut Timer) -> Result<()> {
    keep_idle_thread();
    let page = buffer(1, FirstTouch::Write)?;
    timer.repeat(|| page.discard_and_write())
}

/// Makes a page read-only and writable again.
pub(super) fn protect_pair(timer: &mut Timer) -> Result<()> {
    keep_idle_thread();
    let page = buffer(1, FirstTouch::Write)?;
    timer.repeat(|| {
        page.protect(false)?;
        page.protect(true)
    })
}

/// Registers a buffer of an io_uring and removes the buffer.
pub(super) fn register_buffers(timer: &mut Timer) -> Result<()> {
    let mut ring = IoUringBuffers::new(buffer(REGISTERED, FirstTouch::Write)?, 1)?;
    timer.repeat(|| {
        ring.pin()?;
        ring.unpin()
    })
}

/// Starts a thread that only waits: the kernel treats the memory of a process with threads differently.
pub(super) fn keep_idle_thread() {
    thread::spawn(|| {
        loop {
            thread::park();
        }
    });
}

fn buffer(pages: u64, first_touch: FirstTouch) -> Result<Buffer> {
    Buffer::new(MemorySpec {
        pages,
        backing: Backing::Small,
        sharing: Sharing::Private,
        first_touch,
    })
}
