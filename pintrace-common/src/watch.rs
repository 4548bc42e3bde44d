//! What the programs that look for findings need to know, and the tables and records that they fill.

use crate::limits;
use crate::wire::Header;

/// Kernel facts for them, injected beside [`crate::facts::Facts`]. Offsets are in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WatchFacts {
    /// `vm_fault.vma`.
    pub fault_vma: u32,
    /// `vm_fault.address`.
    pub fault_address: u32,
    /// `vm_fault.flags`.
    pub fault_flags: u32,
    /// `vm_fault.page`: the page that a write is about to copy.
    pub fault_page: u32,
    /// `FAULT_FLAG_UNSHARE`; 0 where there is none (before 5.19).
    pub unshare: u32,
    /// `vm_area_struct.vm_mm`.
    pub vma_mm: u32,
    /// `vm_area_struct.vm_flags`.
    pub vma_flags: u32,
    /// `mm_struct.mm_users`: 0 while the address space is taken down.
    pub mm_users: u32,
    /// `mm_struct.tlb_flush_pending`.
    pub flush_pending: u32,
    /// `mmu_gather.mm`.
    pub gather_mm: u32,
    /// `page.mapping`; its lowest bits say what it points at.
    pub page_mapping: u32,
    /// `page.index` or `folio.index`: where in the file, in pages.
    pub page_index: u32,
    /// `pt_regs.orig_ax`: the system call's number.
    pub regs_call: u32,
    /// `pt_regs.di`: its first argument.
    pub regs_first: u32,
    /// `pt_regs.si`: its second.
    pub regs_second: u32,
    /// `pt_regs.dx`: its third.
    pub regs_third: u32,
    /// `pt_regs.r10`: its fourth.
    pub regs_fourth: u32,
    /// `sizeof(struct pt_regs)`.
    pub regs_bytes: u32,
    /// One of [`unmap`].
    pub unmap_shape: u32,
    /// `unmap_desc.vma_start`, where there is one (7.1).
    pub unmap_start: u32,
    /// `unmap_desc.vma_end`.
    pub unmap_end: u32,
    /// One of [`advice`].
    pub advice_shape: u32,
    /// `madvise_behavior.behavior`, where there is one (6.15).
    pub advice_behavior: u32,
    /// `madvise_behavior.mm`, where that is in it (6.17).
    pub advice_mm: u32,
    /// One of [`protect`].
    pub protect_shape: u32,
    /// `PG_anon_exclusive` exists (5.19): the kernel keeps exclusive pages from being copied.
    pub exclusive: u32,
    /// `inode.i_data`: the `address_space` of a file's own pages.
    pub inode_data: u32,
    /// `PG_lru`: the page is on a list for reclaim; if not, whoever took it off or is about to put it there has a
    /// reference.
    pub pg_lru: u32,
    /// `PG_swapcache`: the swap cache has a reference.
    pub pg_swapcache: u32,
    /// 1 if short-term pins get extents too. An option, and no fact.
    pub all: u32,
    /// 1 if references that are no pins are followed. An option too.
    pub references: u32,
}

/// What `unmap_vmas` (mm/memory.c) takes.
pub mod unmap {
    /// (tlb, vma, start, end): up to 6.0.
    pub const VMA: u32 = 0;
    /// (tlb, tree, vma, start, end): from 6.1 on.
    pub const TREE: u32 = 1;
    /// (tlb, `unmap_desc`): from 7.0 on.
    pub const DESCRIPTION: u32 = 2;
}

/// What `madvise_do_behavior` (mm/madvise.c) takes.
pub mod advice {
    /// (mm, start, len, `madvise_behavior`): up to 6.16.
    pub const WITH_SPACE: u32 = 0;
    /// (start, len, `madvise_behavior`).
    pub const DESCRIPTION: u32 = 1;
}

/// What `change_protection` (mm/mprotect.c) takes.
pub mod protect {
    /// (vma, start, end, newprot, flags): up to 5.18. It flushes before it returns.
    pub const ALONE: u32 = 0;
    /// (tlb, vma, start, end, newprot, flags): up to 6.2 or so.
    pub const WITH_PROTECTION: u32 = 1;
    /// (tlb, vma, start, end, flags).
    pub const GATHERED: u32 = 2;
    /// In its flags: the kernel looks for the NUMA node that uses the memory (`MM_CP_PROT_NUMA`).
    pub const NUMA: u64 = 1 << 1;
    /// ... userfaultfd protects (`MM_CP_UFFD_WP`).
    pub const UFFD_WP: u64 = 1 << 2;
    /// ... userfaultfd takes protection away (`MM_CP_UFFD_WP_RESOLVE`).
    pub const RESOLVE: u64 = 1 << 3;
    /// ... another mode of userfaultfd protects or takes that away (7.3, `MM_CP_UFFD_RWP`).
    pub const RWP: u64 = 3 << 4;
    /// `VM_WRITE` (include/linux/mm.h).
    pub const VM_WRITE: u64 = 2;
}

/// What was done to a mapping, as far as the hook knows.
pub mod touch {
    /// `unmap_vmas`; the system call says why.
    pub const UNMAP: u32 = 1;
    /// `madvise_do_behavior` or `do_madvise`; `detail` is the advice.
    pub const ADVICE: u32 = 2;
    /// `change_protection` for mprotect.
    pub const PROTECT: u32 = 3;
    /// `change_protection` for userfaultfd.
    pub const UFFD_WP: u32 = 4;
    /// `clear_refs_write`.
    pub const SOFT_DIRTY: u32 = 5;
    /// `unmap_mapping_range`: in a file; `detail` is 1 if all that follows is cut off.
    pub const FILE: u32 = 6;
    /// `copy_page_range`.
    pub const FORK: u32 = 7;
    /// What `do_madvise` calls for one area; `detail` is the advice. The record of `do_madvise` follows, unless the
    /// compiler has put that into the system call.
    pub const ADVICE_FOR_AREA: u32 = 8;
}

/// Why a window is open.
pub mod cause {
    /// userfaultfd.
    pub const UFFD_WP: u32 = 0;
    /// mprotect.
    pub const PROTECT: u32 = 1;
    /// Soft-dirty.
    pub const SOFT_DIRTY: u32 = 2;
    /// NUMA hinting.
    pub const NUMA: u32 = 3;
    /// Another.
    pub const OTHER: u32 = 4;
}

/// A mapping was changed where long-term pins are near.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Touched {
    /// `id` is one of [`touch`].
    pub header: Header,
    /// `mm_struct`, or for [`touch::FILE`] `address_space`.
    pub space: u64,
    /// First byte; in the file for [`touch::FILE`].
    pub address: u64,
    /// After the last byte.
    pub end: u64,
    /// Pages changed, where the kernel counts them.
    pub pages: u64,
    /// tgid << 32 | tid.
    pub pid_tgid: u64,
    /// Kernel stack, or a negative number.
    pub stack: i64,
    /// Number of the system call, or a negative number.
    pub call: i64,
    /// The advice for [`touch::ADVICE`]; for [`touch::UNMAP`] 1 if mremap has moved the pages to another address.
    pub detail: u64,
    /// Command name of the thread.
    pub comm: [u8; limits::COMM_BYTES],
}

/// An address space or file that long-term pins are in came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SpaceEnded {
    /// `id` is 1 for a file.
    pub header: Header,
    /// `mm_struct` or `address_space`.
    pub space: u64,
}

/// Levels of the grains in [`Watched`].
pub const LEVELS: usize = 4;
/// Grains of a level.
pub const GRAINS: usize = 32;
/// log2 of a grain's bytes on the finest level: 2 MiB.
pub const FINEST_SHIFT: u32 = 21;
/// By how much that grows from level to level: 64 MiB, 2 GiB, 64 GiB.
pub const LEVEL_SHIFT: u32 = 5;

/// Where in an address space or file long-term extents are, roughly: what touches none of these grains touches no extent.
/// An extent counts in each grain that it touches, on the finest level on which these are fewer than [`GRAINS`], modulo
/// [`GRAINS`]. So extents come and go by additions alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Watched {
    /// Extents.
    pub extents: u64,
    /// When the first extent that it was made for was opened (monotonic ns). The kernel uses addresses again: an older
    /// extent was another's.
    pub born_ns: u64,
    /// Extents by level and grain.
    pub grains: [u64; LEVELS * GRAINS],
}

/// Which copies belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct CopyKey {
    /// When the holder was opened (monotonic ns): holders' numbers are used again.
    pub opened_ns: u64,
    /// The holder.
    pub holder: u32,
    /// Bits of [`copy`].
    pub kind: u32,
}

/// What kind of copy it was.
pub mod copy {
    /// For a reader that wants a page of its own.
    pub const UNSHARE: u32 = 1;
    /// Of anonymous memory.
    pub const ANONYMOUS: u32 = 2;
    /// Of a page that is held by a reference alone: then [`super::CopyKey::holder`] is the process that took it, and
    /// [`super::CopyKey::opened_ns`] the number of the stack with which it did.
    pub const REFERENCE: u32 = 4;
}

/// Copies of pinned pages of one holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Copies {
    /// Copies made.
    pub copies: u64,
    /// Pages copied.
    pub pages: u64,
    /// Of the copies, those made while another thread's flush of that address was pending.
    pub in_window: u64,
    /// Lowest address.
    pub address: u64,
    /// After the highest.
    pub end: u64,
    /// When the first was made (monotonic ns).
    pub first_ns: u64,
    /// The latest.
    pub last_ns: u64,
    /// tgid << 32 | tid of the first.
    pub pid_tgid: u64,
    /// Kernel stack of the first, or a negative number.
    pub stack: i64,
    /// First address of the holder, if it is an extent.
    pub extent_address: u64,
    /// The account of the holder.
    pub account: u64,
    /// When the reference was taken, for [`copy::REFERENCE`] (monotonic ns).
    pub taken_ns: u64,
    /// By which thread: tgid << 32 | tid.
    pub taken_by: u64,
    /// Kernel stack of that, or a negative number.
    pub taken_stack: i64,
    /// Command name of the thread that made the first.
    pub comm: [u8; limits::COMM_BYTES],
}

/// A reference to a small folio that is no pin (`FOLL_GET`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Reference {
    /// Address space that it was taken in.
    pub space: u64,
    /// Where.
    pub address: u64,
    /// When (monotonic ns).
    pub taken_ns: u64,
    /// By which thread: tgid << 32 | tid.
    pub taken_by: u64,
    /// Kernel stack, or a negative number.
    pub stack: i64,
}

/// Whose windows, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct WindowKey {
    /// Process.
    pub tgid: u32,
    /// One of [`cause`].
    pub cause: u32,
}

/// Bounds of durations: those of less than 2^n ns in the n-th place.
pub const DURATIONS: usize = 40;

/// Windows of one process and cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Windows {
    /// Windows.
    pub windows: u64,
    /// Pages changed.
    pub pages: u64,
    /// The longest, ns.
    pub longest_ns: u64,
    /// Write faults of other threads inside.
    pub faults: u64,
    /// Of these, those that copied.
    pub copies: u64,
    /// Pages pinned by other threads inside.
    pub pins: u64,
    /// When the first opened (monotonic ns).
    pub first_ns: u64,
    /// When the latest closed.
    pub last_ns: u64,
    /// Address of the latest fault or pin inside.
    pub address: u64,
    /// Command name of the thread that protected first.
    pub comm: [u8; limits::COMM_BYTES],
    /// Windows by how long they were open.
    pub durations: [u64; DURATIONS],
}

/// Windows that can be open in one address space at one time.
pub const OPEN_WINDOWS: u32 = 8;

/// The place of an open window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct OpenKey {
    /// `mm_struct`.
    pub space: u64,
    /// Below [`OPEN_WINDOWS`].
    pub place: u64,
}

/// An open window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct OpenWindow {
    /// tgid << 32 | tid of the thread that protects.
    pub pid_tgid: u64,
    /// First byte protected.
    pub address: u64,
    /// After the last one.
    pub end: u64,
    /// When it opened (monotonic ns).
    pub opened_ns: u64,
    /// Pages changed so far.
    pub pages: u64,
    /// One of [`cause`].
    pub cause: u64,
    /// First byte of the latest part.
    pub part: u64,
    /// After its last one.
    pub part_end: u64,
    /// Others use the address space too, so that they may have stale translations.
    pub exposed: u64,
    /// Whose address space it is.
    pub tgid: u64,
    /// When `change_protection` returned (monotonic ns); 0 while the task is inside, where for hugetlb it gathers and
    /// flushes by itself.
    pub left_ns: u64,
}

/// Windows against the kernel's own count; see `event::FlushCheck`.
pub mod check {
    /// Covered and pending.
    pub const AGREED: u32 = 0;
    /// Covered alone.
    pub const COVERED: u32 = 1;
    /// Pending alone.
    pub const PENDING: u32 = 2;
    /// How many.
    pub const COUNT: u32 = 3;
}
