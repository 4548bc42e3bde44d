//! What a process can do to memory that somebody has pinned.

use nix::sys::mman::MmapAdvise;

use super::guarded::Guarded;
use super::region::Region;
use super::{Buffer, NO_HUGETLB, NO_MEMORY, PAGE};
use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};

impl Buffer {
    /// Writes to each page.
    pub(crate) fn write_pages(&self) {
        Region {
            start: self.address,
            length: self.bytes,
        }
        .visit(PAGE, true);
    }

    /// Unmaps the memory.
    pub(crate) fn unmap(&mut self) -> Result<()> {
        self.region.unmap().failing("cannot unmap the range", NO_MEMORY)
    }

    /// Drops the pages from the mapping (MADV_DONTNEED) and lets new ones be written.
    pub(crate) fn replace(&self) -> Result<()> {
        let region = self.mapped()?;
        region.advise(MmapAdvise::MADV_DONTNEED).failing(
            "cannot discard the range",
            "MADV_DONTNEED on hugetlb needs kernel 5.18",
        )?;
        if self.wanted.backing == Backing::Hugetlb {
            // A write without a huge page left would be answered by SIGBUS; this one by an error.
            region
                .advise(MmapAdvise::MADV_POPULATE_WRITE)
                .unavailable("cannot populate the range again", NO_HUGETLB)?;
        }
        self.write_pages();
        Ok(())
    }

    /// Makes the memory read-only, or writable again.
    pub(crate) fn protect(&self, writable: bool) -> Result<()> {
        self.mapped()?
            .protect(writable)
            .failing("cannot change the range's protection", NO_MEMORY)
    }

    /// Moves the mapping to another address and returns it.
    pub(crate) fn relocate(&mut self) -> Result<usize> {
        let from = self.mapped()?;
        let target =
            Guarded::reserve(from.length).failing("cannot reserve address space for a move", NO_MEMORY)?;
        from.relocate(target.inner()?)
            .failing("cannot move the range", "MREMAP on hugetlb needs kernel 5.16")?;
        self.region.forget_inner();
        self.address = target.inner()?.start;
        self.region = target;
        Ok(self.address)
    }

    fn mapped(&self) -> Result<Region> {
        self.region.inner()
    }
}

impl Guarded {
    /// The memory between the guards.
    pub(super) fn inner(&self) -> Result<Region> {
        self.get()
            .ok_or_else(|| Failure::failed("the range is unmapped already", "touch it only once"))
    }
}
