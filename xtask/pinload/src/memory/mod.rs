//! A range of memory with a known backing, to be pinned.
//!
//! Owns the mapping and its end. Knows nothing of who pins it.

mod huge;
mod reserve;

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{
    MRemapFlags, MapFlags, MmapAdvise, ProtFlags, madvise, mmap, mmap_anonymous, mprotect, mremap, munmap,
};
use nix::unistd::ftruncate;

use self::reserve::Reservation;
use crate::cli::Backing;
use crate::failure::{Explain, Failure, Result};

/// Bytes of a small page.
pub(crate) const PAGE: usize = 4096;
/// Bytes of a huge page, transparent or of hugetlb.
pub(crate) const HUGE: usize = 2 << 20;

const NO_MEMORY: &str = "ask for fewer --pages or give the machine more memory";
const NO_HUGETLB: &str = "raise /proc/sys/vm/nr_hugepages, or give --reserve as root";

/// Who else can see the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Private and anonymous.
    Private,
    /// Shared and anonymous: a forked child has the same folios.
    Shared,
    /// A memfd, mapped shared.
    Memfd,
}

/// What happens to the memory before it is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstTouch {
    /// Every page is written.
    Write,
    /// Every page is read, so private memory maps the zero page.
    Read,
    /// Nothing: the pin faults it in.
    Nothing,
}

/// Which memory is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Pages of 4 KiB.
    pub(crate) pages: u64,
    /// What they are made of.
    pub(crate) backing: Backing,
    /// Who else sees them.
    pub(crate) sharing: Sharing,
    /// What happens before the pin.
    pub(crate) first_touch: FirstTouch,
    /// Whether hugetlb pages are to be reserved first.
    pub(crate) reserve: bool,
}

/// A mapping between two guard regions, so that its VMA never merges with a neighbour.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// All that was mapped: guard, pages, guard.
    outer: Option<(usize, usize)>,
    /// The pages, rounded up to whole huge pages; `None` once unmapped.
    mapped: Option<(usize, usize)>,
    address: usize,
    bytes: usize,
    wanted: Wanted,
    memfd: Option<OwnedFd>,
    _reservation: Option<Reservation>,
}

impl Buffer {
    /// Maps and touches the memory.
    pub(crate) fn new(wanted: Wanted) -> Result<Self> {
        let bytes = usize::try_from(wanted.pages)
            .ok()
            .and_then(|pages| pages.checked_mul(PAGE))
            .ok_or_else(|| Failure::usage("--pages is too large", NO_MEMORY))?;
        let mapped = if wanted.backing == Backing::Small {
            bytes
        } else {
            bytes.next_multiple_of(HUGE)
        };
        let reservation = if wanted.backing == Backing::Hugetlb && wanted.reserve {
            Some(Reservation::of(mapped / HUGE)?)
        } else {
            None
        };
        let whole = mapped + HUGE + 2 * PAGE;
        let base = reserve_addresses(whole)?;
        let address = (base + PAGE).next_multiple_of(HUGE);
        let mut buffer = Self {
            outer: Some((base, whole)),
            mapped: Some((address, mapped)),
            address,
            bytes,
            wanted,
            memfd: None,
            _reservation: reservation,
        };
        buffer.map(mapped)?;
        buffer.advise(mapped)?;
        buffer.first_touch(mapped);
        if wanted.backing == Backing::Thp && wanted.first_touch == FirstTouch::Write {
            buffer.verify_huge()?;
        }
        Ok(buffer)
    }

    /// The same memory as a forked child sees it: the child's own `munmap` is its exit.
    pub(crate) fn alias(&self) -> Result<Self> {
        let duplicate = |memfd: &OwnedFd| memfd.try_clone();
        let memfd = self.memfd.as_ref().map(duplicate).transpose();
        Ok(Self {
            outer: None,
            mapped: None,
            address: self.address,
            bytes: self.bytes,
            wanted: self.wanted,
            memfd: memfd.failing("cannot duplicate the memfd", "raise ulimit -n")?,
            _reservation: None,
        })
    }

    /// First byte.
    pub(crate) const fn address(&self) -> usize {
        self.address
    }

    /// What was asked for.
    pub(crate) const fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// Bytes asked for (the mapping may be larger).
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The memfd beneath, if this is one.
    pub(crate) fn memfd(&self) -> Option<BorrowedFd<'_>> {
        self.memfd.as_ref().map(AsFd::as_fd)
    }

    /// Fails, as "not available here", unless the kernel gave huge pages throughout.
    pub(crate) fn verify_huge(&self) -> Result<()> {
        huge::verify(self.address, self.bytes().next_multiple_of(HUGE))
    }

    /// Writes to each page.
    pub(crate) fn write_pages(&self) {
        self.write(self.bytes());
    }

    fn write(&self, bytes: usize) {
        for offset in (0..bytes).step_by(PAGE) {
            // SAFETY: the range is mapped writable and nothing else in this process refers to it.
            unsafe { std::ptr::write_volatile(pointer(self.address + offset).cast::<u8>().as_ptr(), 0x70) };
        }
    }

    fn first_touch(&self, mapped: usize) {
        match self.wanted.first_touch {
            FirstTouch::Write => self.write(mapped),
            FirstTouch::Read => {
                for offset in (0..self.bytes()).step_by(PAGE) {
                    // SAFETY: the range is mapped readable.
                    unsafe { std::ptr::read_volatile(pointer(self.address + offset).cast::<u8>().as_ptr()) };
                }
            }
            FirstTouch::Nothing => {}
        }
    }

    fn map(&mut self, mapped: usize) -> Result<()> {
        let hugetlb = self.wanted.backing == Backing::Hugetlb;
        let (Some(at), Some(length)) = (NonZeroUsize::new(self.address), NonZeroUsize::new(mapped)) else {
            return Err(Failure::usage("nothing to map", "ask for at least one page"));
        };
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let mut flags = match self.wanted.sharing {
            Sharing::Private => MapFlags::MAP_PRIVATE,
            Sharing::Shared | Sharing::Memfd => MapFlags::MAP_SHARED,
        } | MapFlags::MAP_FIXED;
        let result = if self.wanted.sharing == Sharing::Memfd {
            let memfd = make_memfd(hugetlb, mapped)?;
            // SAFETY: MAP_FIXED replaces a part of the PROT_NONE reservation that this buffer owns.
            let result = unsafe { mmap(Some(at), length, access, flags, &memfd, 0) };
            self.memfd = Some(memfd);
            result
        } else {
            if hugetlb {
                flags |= MapFlags::MAP_HUGETLB | MapFlags::MAP_HUGE_2MB;
            }
            // SAFETY: as above.
            unsafe { mmap_anonymous(Some(at), length, access, flags) }
        };
        if hugetlb {
            result.unavailable(&format!("cannot map {} huge pages", mapped / HUGE), NO_HUGETLB)?;
        } else {
            result.failing(&format!("cannot map {mapped} bytes"), NO_MEMORY)?;
        }
        Ok(())
    }

    fn advise(&self, mapped: usize) -> Result<()> {
        let advice = match self.wanted.backing {
            Backing::Small => MmapAdvise::MADV_NOHUGEPAGE,
            Backing::Thp => MmapAdvise::MADV_HUGEPAGE,
            Backing::Hugetlb => return Ok(()),
        };
        // SAFETY: the range is this buffer's; the advice does not change what it holds.
        let result = unsafe { madvise(pointer(self.address), mapped, advice) };
        match self.wanted.backing {
            Backing::Thp => result.unavailable("this kernel has no transparent huge pages", huge::REMEDY),
            // Without transparent huge pages in the kernel there is nothing to advise against.
            _ => Ok(()),
        }
    }

    /// Unmaps the pages while somebody may still hold pins on them.
    pub(crate) fn unmap(&mut self) -> Result<()> {
        if let Some((start, length)) = self.mapped.take() {
            // SAFETY: nothing refers to the range any more; its address is not used again.
            unsafe { munmap(pointer(start), length) }.failing("cannot unmap the range", NO_MEMORY)?;
        }
        Ok(())
    }

    /// Drops the pages from the mapping (MADV_DONTNEED).
    pub(crate) fn discard(&self) -> Result<()> {
        let length = if self.wanted.backing == Backing::Hugetlb {
            self.bytes().next_multiple_of(HUGE)
        } else {
            self.bytes()
        };
        // SAFETY: the range is this buffer's and nobody relies on what is in it.
        unsafe { madvise(pointer(self.address), length, MmapAdvise::MADV_DONTNEED) }.failing(
            "cannot discard the range",
            "MADV_DONTNEED on hugetlb needs kernel 5.18",
        )
    }

    /// Makes the whole mapping read-only, or writable again.
    pub(crate) fn protect(&self, writable: bool) -> Result<()> {
        let mut access = ProtFlags::PROT_READ;
        access.set(ProtFlags::PROT_WRITE, writable);
        let length = self.mapped.map_or_else(|| self.bytes(), |(_, length)| length);
        // SAFETY: the range is this buffer's, and no reference into it exists.
        unsafe { mprotect(pointer(self.address), length, access) }
            .failing("cannot change the range's protection", NO_MEMORY)
    }

    /// Moves the mapping to another address and returns it.
    pub(crate) fn relocate(&mut self) -> Result<usize> {
        let Some((old, length)) = self.mapped else {
            return Err(Failure::failed(
                "the range is unmapped already",
                "touch it only once",
            ));
        };
        let base = reserve_addresses(length + HUGE + 2 * PAGE)?;
        let new = (base + PAGE).next_multiple_of(HUGE);
        let flags = MRemapFlags::MREMAP_MAYMOVE | MRemapFlags::MREMAP_FIXED;
        // SAFETY: the target is inside a PROT_NONE reservation made just now; the source is this buffer's.
        unsafe { mremap(pointer(old), length, length, flags, Some(pointer(new))) }
            .failing("cannot move the range", "MREMAP on hugetlb needs kernel 5.16")?;
        self.mapped = Some((new, length));
        self.address = new;
        Ok(new)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some((base, whole)) = self.outer else { return };
        let inner = (base + PAGE).next_multiple_of(HUGE);
        // SAFETY: all three are mapped by this buffer alone; what was unmapped before is left alone, for
        // another mapping may be there by now. The end of the address space is no failure worth a word.
        unsafe {
            let _ = munmap(pointer(base), inner - base);
            if let Some((start, length)) = self.mapped {
                let _ = munmap(pointer(start), length);
            }
            let length = if self.wanted.backing == Backing::Small {
                self.bytes()
            } else {
                self.bytes().next_multiple_of(HUGE)
            };
            let _ = munmap(pointer(inner + length), base + whole - inner - length);
        }
    }
}

/// The raw pointer to an address of this process.
fn pointer(address: usize) -> NonNull<c_void> {
    NonNull::new(std::ptr::with_exposed_provenance_mut(address)).unwrap_or(NonNull::dangling())
}

/// A PROT_NONE region of `bytes`.
fn reserve_addresses(bytes: usize) -> Result<usize> {
    let length = NonZeroUsize::new(bytes).unwrap_or(NonZeroUsize::MIN);
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
    // SAFETY: a fresh anonymous mapping at an address that the kernel chooses.
    let base = unsafe { mmap_anonymous(None, length, ProtFlags::PROT_NONE, flags) }.failing(
        &format!("cannot reserve {bytes} bytes of address space"),
        NO_MEMORY,
    )?;
    Ok(base.as_ptr().expose_provenance())
}

fn make_memfd(hugetlb: bool, bytes: usize) -> Result<OwnedFd> {
    let mut flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    if hugetlb {
        flags |= MFdFlags::MFD_HUGETLB | MFdFlags::MFD_HUGE_2MB;
    }
    let memfd = memfd_create("pinload", flags).unavailable("cannot make a memfd", NO_HUGETLB)?;
    let length =
        i64::try_from(bytes).map_err(|_| Failure::usage("--pages is too large", "ask for fewer pages"))?;
    ftruncate(&memfd, length).failing("cannot size the memfd", NO_MEMORY)?;
    Ok(memfd)
}
