//! A range of memory with a known backing, to be pinned. The buffer owns the mapping and unmaps it.

mod change;
mod frames;
mod guarded;
mod huge;
mod neighbour;
mod part;
mod region;
mod setting;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, MmapAdvise};
use nix::unistd::ftruncate;

pub(crate) use self::frames::PageFrames;
use self::guarded::GuardedRegion;
use self::region::Region;
pub(crate) use self::setting::KernelSetting;
use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};

/// Bytes of a small page.
pub(crate) const PAGE: usize = 4096;
/// Bytes of a huge page, transparent or hugetlb.
pub(crate) const HUGE: usize = 2 << 20;

const NO_MEMORY: &str = "ask for fewer --pages or give the machine more memory";
const NO_HUGETLB: &str = "raise /proc/sys/vm/nr_hugepages, or give --reserve as root";

/// The kind of mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Private and anonymous.
    Private,
    /// Shared and anonymous: a forked child maps the same folios.
    Shared,
    /// A memfd, mapped shared.
    Memfd,
    /// A memfd, mapped private: a write copies the file's page.
    Copied,
}

/// The access to the memory before the pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstTouch {
    /// Every page is written.
    Write,
    /// Every page is read, so private memory maps the zero page.
    Read,
    /// Not touched: the pin faults the pages in.
    Nothing,
}

/// A description of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemorySpec {
    /// Pages of 4 KiB.
    pub(crate) pages: u64,
    /// The kind of pages.
    pub(crate) backing: Backing,
    /// The kind of mapping.
    pub(crate) sharing: Sharing,
    /// The access before the pin.
    pub(crate) first_touch: FirstTouch,
}

impl MemorySpec {
    /// Reserves huge pages for `buffers` buffers of this kind (root), until the result is dropped.
    pub(crate) fn make_ready(self, buffers: usize) -> Result<Vec<KernelSetting>> {
        setting::for_backing(self.backing, buffers * self.bytes()?.next_multiple_of(HUGE))
    }

    fn bytes(self) -> Result<usize> {
        usize::try_from(self.pages)
            .ok()
            .and_then(|pages| pages.checked_mul(PAGE))
            .ok_or_else(|| Failure::usage("--pages is too large", NO_MEMORY))
    }

    /// Returns the bytes of the smallest page of this backing.
    const fn unit(self) -> usize {
        match self.backing {
            Backing::Small => PAGE,
            Backing::Thp | Backing::Hugetlb => HUGE,
        }
    }

    /// Returns the bytes to map: whole pages of the backing.
    fn mapped_bytes(self) -> Result<usize> {
        Ok(self.bytes()?.next_multiple_of(self.unit()))
    }
}

/// Mapped memory.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// The pages, rounded up to whole huge pages.
    region: GuardedRegion,
    address: usize,
    bytes: usize,
    wanted: MemorySpec,
    memfd: Option<OwnedFd>,
}

impl Buffer {
    /// Maps and touches the memory.
    pub(crate) fn new(wanted: MemorySpec) -> Result<Self> {
        let bytes = wanted.bytes()?;
        let mapped = wanted.mapped_bytes()?;
        let region = GuardedRegion::reserve(mapped).failing(
            &format!("cannot reserve {mapped} bytes of address space"),
            NO_MEMORY,
        )?;
        let inner = region.inner()?;
        let memfd = map(inner, wanted)?;
        let buffer = Self {
            region,
            address: inner.start,
            bytes,
            wanted,
            memfd,
        };
        advise(inner, wanted.backing)?;
        match wanted.first_touch {
            FirstTouch::Write => inner.visit(PAGE, true),
            FirstTouch::Read => inner.visit(PAGE, false),
            FirstTouch::Nothing => {}
        }
        if wanted.backing == Backing::Thp && wanted.first_touch == FirstTouch::Write {
            buffer.verify_huge()?;
        }
        Ok(buffer)
    }

    /// Returns the same memory for a forked child.
    pub(crate) fn alias(&self) -> Result<Self> {
        let memfd = self.memfd.as_ref().map(OwnedFd::try_clone).transpose();
        Ok(Self {
            region: self.region.alias(),
            address: self.address,
            bytes: self.bytes,
            wanted: self.wanted,
            memfd: memfd.failing("cannot duplicate the memfd", "raise ulimit -n")?,
        })
    }

    /// Returns the address of the first byte.
    pub(crate) const fn address(&self) -> usize {
        self.address
    }

    /// Returns the description of the memory.
    pub(crate) const fn wanted(&self) -> MemorySpec {
        self.wanted
    }

    /// Returns the requested bytes (the mapping may be larger).
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the bytes of a page that the kernel maps and copies as a whole.
    pub(crate) const fn unit(&self) -> usize {
        self.wanted.unit()
    }

    /// Returns the address and length of the mapping, in whole pages of the backing; length 0 after an unmap.
    pub(crate) fn extent(&self) -> (usize, usize) {
        let mapped = self.region.get();
        mapped.map_or((self.address, 0), |inner| (inner.start, inner.length))
    }

    /// Returns the memfd, if the memory maps a memfd.
    pub(crate) fn memfd(&self) -> Option<BorrowedFd<'_>> {
        self.memfd.as_ref().map(AsFd::as_fd)
    }

    /// Fails, as "not available here", unless the whole range consists of huge pages.
    pub(crate) fn verify_huge(&self) -> Result<()> {
        huge::verify(self.address, self.bytes.next_multiple_of(HUGE))
    }
}

/// Maps memory into the region. Returns the memfd, if the memory maps a memfd.
fn map(region: Region, wanted: MemorySpec) -> Result<Option<OwnedFd>> {
    let hugetlb = wanted.backing == Backing::Hugetlb;
    let huge = if hugetlb {
        MapFlags::MAP_HUGETLB | MapFlags::MAP_HUGE_2MB
    } else {
        MapFlags::empty()
    };
    let memfd = match wanted.sharing {
        Sharing::Memfd | Sharing::Copied => Some(make_memfd(hugetlb, region.length)?),
        Sharing::Private | Sharing::Shared => None,
    };
    let result = match (&memfd, wanted.sharing) {
        (Some(memfd), Sharing::Copied) => region.map_file(memfd, MapFlags::MAP_PRIVATE),
        (Some(memfd), _) => region.map_file(memfd, MapFlags::MAP_SHARED),
        (None, Sharing::Private) => region.map_anonymous(huge | MapFlags::MAP_PRIVATE),
        (None, _) => region.map_anonymous(huge | MapFlags::MAP_SHARED),
    };
    if hugetlb {
        result.unavailable(
            &format!("cannot map {} huge pages", region.length / HUGE),
            NO_HUGETLB,
        )?;
    } else {
        result.failing(&format!("cannot map {} bytes", region.length), NO_MEMORY)?;
    }
    Ok(memfd)
}

fn advise(region: Region, backing: Backing) -> Result<()> {
    match backing {
        Backing::Small => {
            // A kernel without transparent huge pages rejects the advice and does not need it.
            let _ = region.advise(MmapAdvise::MADV_NOHUGEPAGE);
            Ok(())
        }
        Backing::Thp => region.advise(MmapAdvise::MADV_HUGEPAGE).unavailable(
            "this kernel has no transparent huge pages",
            "use a kernel with transparent huge pages (not -rt)",
        ),
        Backing::Hugetlb => Ok(()),
    }
}

fn make_memfd(hugetlb: bool, bytes: usize) -> Result<OwnedFd> {
    let mut flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    if hugetlb {
        flags |= MFdFlags::MFD_HUGETLB | MFdFlags::MFD_HUGE_2MB;
    }
    let memfd = memfd_create("pinload", flags).unavailable("cannot create a memfd", NO_HUGETLB)?;
    let length = i64::try_from(bytes).map_err(|_| Failure::usage("--pages is too large", NO_MEMORY))?;
    ftruncate(&memfd, length).failing("cannot size the memfd", NO_MEMORY)?;
    Ok(memfd)
}
