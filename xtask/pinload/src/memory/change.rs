//! Changes that a process can make to pinned memory.

use std::fs::File;
use std::io::Write;
use std::mem;
use std::os::fd::OwnedFd;

use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::mman::{MapFlags, MmapAdvise};
use nix::unistd::ftruncate;

use super::guarded::GuardedRegion;
use super::region::Region;
use super::{Buffer, NO_HUGETLB, NO_MEMORY, PAGE, advise, make_memfd, map};
use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};

impl Buffer {
    /// Writes to each page.
    pub(crate) fn write_pages(&self) {
        self.wanted_region().visit(PAGE, true);
    }

    /// Writes to one page of 4 KiB.
    pub(crate) fn write_page(&self, page: u64) {
        let offset = usize::try_from(page).unwrap_or(usize::MAX).saturating_mul(PAGE);
        let wanted = self.wanted_region();
        if offset < wanted.length {
            Region {
                start: wanted.start + offset,
                length: PAGE,
            }
            .visit(PAGE, true);
        }
    }

    /// Writes to each page with atomics, so that several threads may write at once.
    pub(crate) fn write_concurrently(&self) {
        self.wanted_region().visit_atomically(PAGE);
    }

    fn wanted_region(&self) -> Region {
        Region {
            start: self.address,
            length: self.bytes,
        }
    }

    /// Unmaps the memory.
    pub(crate) fn unmap(&mut self) -> Result<()> {
        self.region.unmap().failing("cannot unmap the range", NO_MEMORY)
    }

    /// Unmaps the buffer from `offset` on. The buffer then ends at `offset`.
    pub(crate) fn unmap_from(&mut self, offset: usize) -> Result<()> {
        self.region
            .unmap_from(offset)
            .failing("cannot unmap a part of the range", NO_MEMORY)?;
        self.bytes = self.bytes.min(offset);
        Ok(())
    }

    /// Unmaps the memory, maps new memory of the same kind at the same address, and writes to each page.
    pub(crate) fn remap_in_place(&mut self) -> Result<()> {
        let region = self.mapped()?;
        region.unmap().failing("cannot unmap the range", NO_MEMORY)?;
        // No allocation may happen between munmap and mmap: the allocator could map its own memory into the gap.
        self.memfd = map(region, self.wanted)?;
        advise(region, self.wanted.backing)?;
        self.write_pages();
        Ok(())
    }

    /// Maps small pages over the buffer from `offset` on.
    pub(crate) fn map_over(&self, offset: usize) -> Result<()> {
        let inner = self.mapped()?;
        let part = Region {
            start: inner.start + offset,
            length: inner.length - offset,
        };
        part.map_anonymous(MapFlags::MAP_PRIVATE)
            .failing("cannot map over the range", NO_MEMORY)
    }

    /// Maps `bytes` of a memfd, from offset `from` of the memfd on, over the buffer from `at` on, and writes to the pages.
    /// Makes the memfd, as large as the buffer and full of zeros, if there is none.
    pub(crate) fn map_file_over(&mut self, at: usize, bytes: usize, from: usize) -> Result<()> {
        let inner = self.mapped()?;
        let memfd = match self.memfd.take() {
            Some(memfd) => memfd,
            None => full_memfd(inner.length)?,
        };
        let part = Region {
            start: inner.start + at,
            length: bytes,
        };
        part.map_file_from(&memfd, offset(from)?, MapFlags::MAP_SHARED)
            .failing("cannot map the memfd over a part of the range", NO_MEMORY)?;
        self.memfd = Some(memfd);
        part.visit(PAGE, true);
        Ok(())
    }

    /// Returns true if parts of the private buffer map a memfd.
    pub(crate) fn has_parts_of_file(&self) -> bool {
        self.memfd.is_some() && self.wanted.sharing == super::Sharing::Private
    }

    /// Lets the kernel free the pages under memory pressure (MADV_FREE).
    pub(crate) fn madvise_free(&self) -> Result<()> {
        self.mapped()?
            .advise(MmapAdvise::MADV_FREE)
            .unavailable("cannot apply MADV_FREE to the range", "hugetlb has no MADV_FREE")
    }

    /// Lets KSM merge the pages with other pages of the same contents.
    pub(crate) fn mergeable(&self) -> Result<()> {
        self.mapped()?.advise(MmapAdvise::MADV_MERGEABLE).unavailable(
            "cannot mark the range as mergeable for KSM (MADV_MERGEABLE)",
            "use a kernel with CONFIG_KSM",
        )
    }

    /// Lets forked children inherit no mapping of the memory (MADV_DONTFORK).
    pub(crate) fn hide_from_children(&self) -> Result<()> {
        self.mapped()?
            .advise(MmapAdvise::MADV_DONTFORK)
            .failing("cannot hide the range from children", NO_MEMORY)
    }

    /// Truncates the memfd to `bytes`.
    pub(crate) fn truncate(&self, bytes: usize) -> Result<()> {
        let memfd = self.memfd.as_ref().ok_or_else(no_file)?;
        ftruncate(memfd, offset(bytes)?).failing("cannot truncate the memfd", NO_MEMORY)
    }

    /// Punches a hole of `bytes` into the memfd.
    pub(crate) fn punch_hole(&self, from: usize, bytes: usize) -> Result<()> {
        let memfd = self.memfd.as_ref().ok_or_else(no_file)?;
        let mode = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(memfd, mode, offset(from)?, offset(bytes)?)
            .failing("cannot punch a hole into the memfd", NO_MEMORY)
    }

    /// Drops the pages from the mapping (MADV_DONTNEED) and writes to new pages.
    pub(crate) fn discard_and_write(&self) -> Result<()> {
        let region = self.mapped()?;
        region.advise(MmapAdvise::MADV_DONTNEED).unavailable(
            "cannot discard the range",
            "MADV_DONTNEED on hugetlb needs kernel 5.18",
        )?;
        if self.wanted.backing == Backing::Hugetlb {
            // Without a free huge page a write raises SIGBUS, but MADV_POPULATE_WRITE returns an error.
            region
                .advise(MmapAdvise::MADV_POPULATE_WRITE)
                .unavailable("cannot populate the range again", NO_HUGETLB)?;
        }
        self.write_pages();
        Ok(())
    }

    /// Drops small pages by process_madvise and writes to new pages.
    pub(crate) fn discard_and_write_by_process(&self) -> Result<()> {
        self.mapped()?.discard_by_process().unavailable(
            "cannot discard the range by process_madvise",
            "process_madvise of the own process needs kernel 6.13",
        )?;
        self.write_pages();
        Ok(())
    }

    /// Makes the memory read-only, or writable again.
    pub(crate) fn protect(&self, writable: bool) -> Result<()> {
        self.mapped()?
            .protect(writable)
            .failing("cannot change the range's protection", NO_MEMORY)
    }

    /// Moves the mapping to another address and returns the new address.
    pub(crate) fn relocate(&mut self) -> Result<usize> {
        let from = self.mapped()?;
        let target = GuardedRegion::reserve(from.length)
            .failing("cannot reserve address space for a move", NO_MEMORY)?;
        from.relocate(target.inner()?)
            .unavailable("cannot move the range", "MREMAP on hugetlb needs kernel 5.16")?;
        self.region.forget_inner();
        self.address = target.inner()?.start;
        self.region = target;
        Ok(self.address)
    }

    /// Moves the pages to another address and returns the new address. The old mapping stays mapped until the process
    /// exits.
    pub(crate) fn move_pages_out(&mut self) -> Result<usize> {
        let from = self.mapped()?;
        let target = GuardedRegion::reserve(from.length)
            .failing("cannot reserve address space for a move", NO_MEMORY)?;
        from.move_pages_out(target.inner()?).unavailable(
            "cannot move the pages of the range",
            "MREMAP_DONTUNMAP needs kernel 5.7",
        )?;
        self.address = target.inner()?.start;
        mem::forget(mem::replace(&mut self.region, target));
        Ok(self.address)
    }

    fn mapped(&self) -> Result<Region> {
        self.region.inner()
    }
}

/// Returns a memfd of `bytes` zeros, whose pages exist.
fn full_memfd(bytes: usize) -> Result<OwnedFd> {
    let memfd = make_memfd(false, bytes)?;
    let mut file = File::from(memfd);
    file.write_all(&vec![0; bytes])
        .failing("cannot fill the memfd", NO_MEMORY)?;
    Ok(file.into())
}

fn no_file() -> Failure {
    Failure::failed("the range does not map a file", "report this as a bug")
}

fn offset(bytes: usize) -> Result<i64> {
    i64::try_from(bytes).map_err(|_| Failure::usage("--pages is too large", NO_MEMORY))
}

impl GuardedRegion {
    /// Returns the memory between the guards.
    pub(super) fn inner(&self) -> Result<Region> {
        self.get()
            .ok_or_else(|| Failure::failed("the range is unmapped already", "change it only once"))
    }
}
