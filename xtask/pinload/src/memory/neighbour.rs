//! Memory directly before and after a buffer that does not belong to the buffer.

use nix::sys::mman::{MapFlags, MmapAdvise};

use super::region::Region;
use super::{Buffer, NO_MEMORY, PAGE, advise, map};
use crate::failure::{Explain, Failure, Result};

/// Small pages on each side; one huge page with huge pages.
const PAGES: usize = 8;

/// One of the two neighbours of a buffer. Dropping the buffer unmaps the neighbour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbour(Region);

impl Buffer {
    /// Maps and writes memory of the buffer's kind directly before and after the buffer, over the guards.
    pub(crate) fn neighbours(&self) -> Result<[Neighbour; 2]> {
        let inner = self.region.inner()?;
        let length = if self.unit() == PAGE {
            PAGES * PAGE
        } else {
            self.unit()
        };
        let at = |start| -> Result<Neighbour> {
            let region = Region { start, length };
            if !self.region.guards(region) {
                return Err(Failure::failed(
                    "there is no room next to the range",
                    "report this as a bug",
                ));
            }
            map(region, self.wanted)?;
            advise(region, self.wanted.backing)?;
            region.visit(PAGE, true);
            Ok(Neighbour(region))
        };
        Ok([at(inner.start - length)?, at(inner.start + inner.length)?])
    }
}

impl Neighbour {
    /// Writes to each page.
    pub(crate) fn write(self) {
        self.0.visit(PAGE, true);
    }

    /// Drops the pages (MADV_DONTNEED) and writes to new pages.
    pub(crate) fn discard_and_write(self) -> Result<()> {
        self.0
            .advise(MmapAdvise::MADV_DONTNEED)
            .unavailable("cannot discard the neighbour", "hugetlb needs kernel 5.18")?;
        self.write();
        Ok(())
    }

    /// Makes the neighbour read-only, or writable again.
    pub(crate) fn protect(self, writable: bool) -> Result<()> {
        self.0
            .protect(writable)
            .failing("cannot change the neighbour's protection", NO_MEMORY)
    }

    /// Unmaps the neighbour, and maps a guard in its place.
    pub(crate) fn unmap(self) -> Result<()> {
        self.0.unmap().failing("cannot unmap the neighbour", NO_MEMORY)?;
        self.0
            .make_inaccessible(MapFlags::MAP_FIXED_NOREPLACE)
            .failing("cannot guard the range again", NO_MEMORY)
    }
}
