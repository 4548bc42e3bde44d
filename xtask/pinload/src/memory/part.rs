//! Changes to a part of a buffer. A part is a range of pages.

use std::ops::Range;

use nix::sys::mman::MmapAdvise;

use super::region::Region;
use super::{Buffer, NO_MEMORY, PAGE};
use crate::failure::{Explain, Failure, Result};

impl Buffer {
    /// Locks a part (mlock). The part becomes a mapping of its own inside the kernel, which MADV_DONTNEED refuses.
    pub(crate) fn lock(&self, pages: Range<usize>) -> Result<()> {
        self.part(pages)?.lock().failing(
            "cannot lock a part of the range",
            "raise the limit of locked memory (ulimit -l), or run as root",
        )
    }

    /// Drops a part (MADV_DONTNEED). Returns the error number of the kernel, which may have dropped pages all the same;
    /// 0 for none.
    pub(crate) fn discard(&self, pages: Range<usize>) -> Result<u64> {
        let answer = self.part(pages)?.advise(MmapAdvise::MADV_DONTNEED);
        Ok(answer.map_or_else(|errno| u64::from((errno as i32).unsigned_abs()), |()| 0))
    }

    /// Drops a part, and makes each access to the part fault (MADV_GUARD_INSTALL).
    pub(crate) fn install_guards(&self, pages: Range<usize>) -> Result<()> {
        self.part(pages)?.install_guards().unavailable(
            "cannot install guard regions",
            "MADV_GUARD_INSTALL needs kernel 6.13, and no hugetlb",
        )
    }

    /// Maps the beginning of the file to a part (remap_file_pages).
    pub(crate) fn remap_file_pages(&self, pages: Range<usize>) -> Result<()> {
        self.part(pages)?.remap_file_pages(0).unavailable(
            "cannot remap a part of the range",
            "remap_file_pages needs shared memory",
        )
    }

    /// Unmaps the first pages. The buffer keeps its address and length, so that its frames show which pages are gone.
    pub(crate) fn unmap_first(&mut self, pages: usize) -> Result<()> {
        self.region
            .unmap_until(pages * PAGE)
            .failing("cannot unmap a part of the range", NO_MEMORY)
    }

    fn part(&self, pages: Range<usize>) -> Result<Region> {
        let inner = self.region.inner()?;
        if pages.end * PAGE > inner.length {
            return Err(Failure::failed(
                "the part is larger than the range",
                "report this as a bug of pinload",
            ));
        }
        Ok(Region {
            start: inner.start + pages.start * PAGE,
            length: pages.len() * PAGE,
        })
    }
}
