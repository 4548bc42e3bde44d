//! The raw mapping calls on regions of address space.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::errno::Errno;
use nix::sys::mman::{
    MRemapFlags, MapFlags, MmapAdvise, ProtFlags, madvise, mlock, mmap, mmap_anonymous, mprotect, mremap,
    munmap,
};
use nix::{Result, libc};

/// `MADV_GUARD_INSTALL` (6.13).
const GUARD_INSTALL: i32 = 102;

/// A region that its owner has mapped. No other part of the process refers to the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    /// First byte.
    pub(super) start: usize,
    /// Length in bytes.
    pub(super) length: usize,
}

impl Region {
    /// Reserves an inaccessible region at an address that the kernel chooses.
    pub(super) fn reserve(length: usize) -> Result<Self> {
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: a fresh anonymous mapping at an address that the kernel chooses.
        let start = unsafe { mmap_anonymous(None, at_least_one(length), ProtFlags::PROT_NONE, flags) }?;
        Ok(Self {
            start: start.as_ptr().expose_provenance(),
            length,
        })
    }

    /// Maps anonymous memory over the region.
    pub(super) fn map_anonymous(self, flags: MapFlags) -> Result<()> {
        let (start, length) = (NonZeroUsize::new(self.start), at_least_one(self.length));
        // SAFETY: the region belongs to the caller, so no other mapping is replaced.
        unsafe { mmap_anonymous(start, length, access(true), flags | MapFlags::MAP_FIXED) }.map(drop)
    }

    /// Maps the region without access; `flags` decide whether an existing mapping is replaced.
    pub(super) fn make_inaccessible(self, flags: MapFlags) -> Result<()> {
        let (start, length) = (NonZeroUsize::new(self.start), at_least_one(self.length));
        let flags = flags | MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: as above.
        unsafe { mmap_anonymous(start, length, ProtFlags::PROT_NONE, flags) }.map(drop)
    }

    /// Maps the beginning of a file over the region.
    pub(super) fn map_file(self, file: impl AsFd, flags: MapFlags) -> Result<()> {
        self.map_file_from(file, 0, flags)
    }

    /// Maps a file from an offset on over the region.
    pub(super) fn map_file_from(self, file: impl AsFd, offset: i64, flags: MapFlags) -> Result<()> {
        let (start, length) = (NonZeroUsize::new(self.start), at_least_one(self.length));
        let flags = flags | MapFlags::MAP_FIXED;
        // SAFETY: as above.
        unsafe { mmap(start, length, access(true), flags, file, offset) }.map(drop)
    }

    /// Applies advice that may discard the contents.
    pub(super) fn advise(self, advice: MmapAdvise) -> Result<()> {
        // SAFETY: the region belongs to the caller, and no reference into it exists.
        unsafe { madvise(pointer(self.start), self.length, advice) }
    }

    /// Discards the contents by process_madvise on this process, as allocators do for many regions at once.
    pub(super) fn discard_by_process(self) -> Result<()> {
        let own = std::process::id();
        // SAFETY: the call takes no pointer.
        let descriptor = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, own, 0) })?;
        let descriptor = RawFd::try_from(descriptor).map_err(|_| Errno::EBADF)?;
        // SAFETY: the descriptor has just been opened; nothing else owns it.
        let process = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let region = libc::iovec {
            iov_base: pointer(self.start).as_ptr(),
            iov_len: self.length,
        };
        let (vector, advice) = (&raw const region, libc::MADV_DONTNEED);
        // SAFETY: one vector, which outlives the call; the region is as above.
        let done = unsafe {
            libc::syscall(
                libc::SYS_process_madvise,
                process.as_raw_fd(),
                vector,
                1,
                advice,
                0,
            )
        };
        Errno::result(done).map(drop)
    }

    /// Drops the pages, and makes each access to the region fault (MADV_GUARD_INSTALL).
    pub(super) fn install_guards(self) -> Result<()> {
        // SAFETY: the region belongs to the caller, and no reference into it exists.
        let done = unsafe { libc::madvise(pointer(self.start).as_ptr(), self.length, GUARD_INSTALL) };
        Errno::result(done).map(drop)
    }

    /// Maps the page `file_page` of the mapped file, and the pages after it, to the region (remap_file_pages).
    pub(super) fn remap_file_pages(self, file_page: usize) -> Result<()> {
        // SAFETY: as above.
        let done = unsafe {
            libc::syscall(
                libc::SYS_remap_file_pages,
                self.start,
                self.length,
                0,
                file_page,
                0,
            )
        };
        Errno::result(done).map(drop)
    }

    /// Locks the region in memory.
    pub(super) fn lock(self) -> Result<()> {
        // SAFETY: the call changes no contents.
        unsafe { mlock(pointer(self.start), self.length) }
    }

    /// Makes the region read-only or writable.
    pub(super) fn protect(self, writable: bool) -> Result<()> {
        // SAFETY: as above.
        unsafe { mprotect(pointer(self.start), self.length, access(writable)) }
    }

    /// Moves the region to `target`, and replaces the mapping at `target`.
    pub(super) fn relocate(self, target: Self) -> Result<()> {
        let flags = MRemapFlags::MREMAP_MAYMOVE | MRemapFlags::MREMAP_FIXED;
        let (from, to) = (pointer(self.start), pointer(target.start));
        // SAFETY: both regions belong to the caller, and no reference into either exists.
        unsafe { mremap(from, self.length, target.length, flags, Some(to)) }.map(drop)
    }

    /// Moves the pages of the region to `target`, and replaces the mapping at `target`. The region stays mapped.
    pub(super) fn move_pages_out(self, target: Self) -> Result<()> {
        let keep = MRemapFlags::from_bits_retain(nix::libc::MREMAP_DONTUNMAP);
        let flags = MRemapFlags::MREMAP_MAYMOVE | MRemapFlags::MREMAP_FIXED | keep;
        let (from, to) = (pointer(self.start), pointer(target.start));
        // SAFETY: as above.
        unsafe { mremap(from, self.length, target.length, flags, Some(to)) }.map(drop)
    }

    /// Unmaps the region.
    pub(super) fn unmap(self) -> Result<()> {
        // SAFETY: as above; its owner does not use the address again.
        unsafe { munmap(pointer(self.start), self.length) }
    }

    /// Increments the first byte of each `step` bytes with atomics, so that several threads may write at
    /// once.
    pub(super) fn visit_atomically(self, step: usize) {
        for offset in (0..self.length).step_by(step) {
            let byte: *mut u8 = std::ptr::with_exposed_provenance_mut(self.start + offset);
            // SAFETY: the region is mapped with this access, and threads access it only with atomics.
            unsafe { AtomicU8::from_ptr(byte) }.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes to, or reads from, the first byte of each `step` bytes.
    pub(super) fn visit(self, step: usize, write: bool) {
        for offset in (0..self.length).step_by(step) {
            let byte: *mut u8 = std::ptr::with_exposed_provenance_mut(self.start + offset);
            // SAFETY: the region is mapped with this access and nothing else refers to it.
            unsafe {
                if write {
                    byte.write_volatile(0x70);
                } else {
                    byte.read_volatile();
                }
            }
        }
    }
}

fn access(writable: bool) -> ProtFlags {
    let mut access = ProtFlags::PROT_READ;
    access.set(ProtFlags::PROT_WRITE, writable);
    access
}

fn at_least_one(length: usize) -> NonZeroUsize {
    NonZeroUsize::new(length).unwrap_or(NonZeroUsize::MIN)
}

fn pointer(address: usize) -> NonNull<c_void> {
    NonNull::new(std::ptr::with_exposed_provenance_mut(address)).unwrap_or(NonNull::dangling())
}
