//! Memory between two inaccessible regions, so that the mapping never merges with a neighbour and has a separate entry
//! in /proc/PID/smaps.

use nix::Result;

use super::region::Region;
use super::{HUGE, PAGE};

/// A region that begins at a multiple of 2 MiB, with guards of more than 2 MiB on both sides.
#[derive(Debug)]
pub(super) struct GuardedRegion {
    before: Option<Region>,
    inner: Option<Region>,
    after: Option<Region>,
}

impl GuardedRegion {
    /// Reserves the address space; the region between the guards is still inaccessible.
    pub(super) fn reserve(length: usize) -> Result<Self> {
        let whole = Region::reserve(length + 3 * HUGE + 2 * PAGE)?;
        let start = (whole.start + HUGE + PAGE).next_multiple_of(HUGE);
        let end = start + length;
        Ok(Self {
            before: Some(Region {
                start: whole.start,
                length: start - whole.start,
            }),
            inner: Some(Region { start, length }),
            after: Some(Region {
                start: end,
                length: whole.start + whole.length - end,
            }),
        })
    }

    /// Returns the region between the guards as a forked child inherits it, without the guards.
    pub(super) const fn alias(&self) -> Self {
        Self {
            before: None,
            inner: self.inner,
            after: None,
        }
    }

    /// Returns the region between the guards, unless it was unmapped.
    pub(super) const fn get(&self) -> Option<Region> {
        self.inner
    }

    /// Unmaps the region between the guards.
    pub(super) fn unmap(&mut self) -> Result<()> {
        self.inner.take().map_or(Ok(()), Region::unmap)
    }

    /// Unmaps the region between the guards from `offset` on. Other mappings may then use that part.
    pub(super) fn unmap_from(&mut self, offset: usize) -> Result<()> {
        let Some(inner) = self.inner.filter(|inner| offset < inner.length) else {
            return Ok(());
        };
        let gone = Region {
            start: inner.start + offset,
            length: inner.length - offset,
        };
        gone.unmap()?;
        self.inner = (offset > 0).then_some(Region {
            length: offset,
            ..inner
        });
        Ok(())
    }

    /// Unmaps the region between the guards up to `offset`. Other mappings may then use that part.
    pub(super) fn unmap_until(&mut self, offset: usize) -> Result<()> {
        let Some(inner) = self.inner.filter(|_| offset > 0) else {
            return Ok(());
        };
        let length = offset.min(inner.length);
        Region { length, ..inner }.unmap()?;
        self.inner = (length < inner.length).then_some(Region {
            start: inner.start + length,
            length: inner.length - length,
        });
        Ok(())
    }

    /// Returns true if all of `region` is inside one of the guards.
    pub(super) fn guards(&self, region: Region) -> bool {
        let within = |guard: &Region| {
            guard.start <= region.start && region.start + region.length <= guard.start + guard.length
        };
        [self.before, self.after].iter().flatten().any(within)
    }

    /// Forgets the region after a move, because other mappings may use its old address.
    pub(super) const fn forget_inner(&mut self) {
        self.inner = None;
    }
}

impl Drop for GuardedRegion {
    fn drop(&mut self) {
        for region in [self.before, self.inner, self.after].into_iter().flatten() {
            // An error is harmless, because the process is about to exit.
            let _ = region.unmap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unmapped_range_is_not_unmapped_again_on_drop() {
        let mut memory = GuardedRegion::reserve(4 * PAGE).unwrap();
        let all = memory.get().unwrap();
        memory.unmap_from(4 * PAGE).unwrap();
        assert_eq!(memory.get(), Some(all));
        memory.unmap_from(PAGE).unwrap();
        let first = Region { length: PAGE, ..all };
        assert_eq!(memory.get(), Some(first));
        memory.unmap_from(0).unwrap();
        assert_eq!(memory.get(), None);
    }

    #[test]
    fn a_range_without_its_begin_keeps_its_end() {
        let mut memory = GuardedRegion::reserve(4 * PAGE).unwrap();
        let all = memory.get().unwrap();
        memory.unmap_until(0).unwrap();
        assert_eq!(memory.get(), Some(all));
        memory.unmap_until(3 * PAGE).unwrap();
        let last = Region {
            start: all.start + 3 * PAGE,
            length: PAGE,
        };
        assert_eq!(memory.get(), Some(last));
        memory.unmap_until(PAGE).unwrap();
        assert_eq!(memory.get(), None);
    }
}
