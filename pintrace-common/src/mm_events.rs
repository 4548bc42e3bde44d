//! What the programs that look for findings need to know, and the tables and records that they fill.

use crate::limits;
use crate::wire::Header;

kernel_facts! {
    /// Kernel facts for them, injected beside [`crate::facts::Facts`]. Offsets are in bytes.
    MmEventFacts, read as u64 {
        /// `vm_fault.vma`.
        fault_vma,
        /// `vm_fault.address`.
        fault_address,
        /// `vm_fault.flags`.
        fault_flags,
        /// `vm_fault.page`: the page that a write is about to copy.
        fault_page,
        /// `FAULT_FLAG_UNSHARE`; 0 where there is none (before 5.19).
        unshare,
        /// `vm_area_struct.vm_mm`.
        vma_mm,
        /// `vm_area_struct.vm_flags`.
        vma_flags,
        /// `mm_struct.mm_users`: 0 while the address space is taken down.
        mm_users,
        /// `mm_struct.tlb_flush_pending`.
        flush_pending,
        /// `mmu_gather.mm`.
        gather_mm,
        /// `page.mapping`; its lowest bits say what it points at.
        page_mapping,
        /// `page.index` or `folio.index`: where in the file, in pages.
        page_index,
        /// `pt_regs.orig_ax`: the system call's number.
        regs_call,
        /// `pt_regs.di`: its first argument.
        regs_first,
        /// `pt_regs.si`: its second.
        regs_second,
        /// `pt_regs.dx`: its third.
        regs_third,
        /// `pt_regs.r10`: its fourth.
        regs_fourth,
        /// `sizeof(struct pt_regs)`.
        regs_bytes,
        /// One of [`unmap`].
        unmap_shape,
        /// `unmap_desc.vma_start`, where there is one (7.1).
        unmap_start,
        /// `unmap_desc.vma_end`.
        unmap_end,
        /// One of [`advice`].
        advice_shape,
        /// `madvise_behavior.behavior`, where there is one (6.15).
        advice_behavior,
        /// `madvise_behavior.mm`, where that is in it (6.17).
        advice_mm,
        /// One of [`protect`].
        protect_shape,
        /// `PG_anon_exclusive` exists (5.19): the kernel keeps exclusive pages from being copied.
        exclusive,
        /// `inode.i_data`: the `address_space` of a file's own pages.
        inode_data,
        /// `PG_lru`: the page is on a list for reclaim; if not, whoever took it off or is about to put it there has a
        /// reference.
        pg_lru,
        /// `PG_swapcache`: the swap cache has a reference.
        pg_swapcache,
        /// 1 if short-term pins get extents too. An option, and no fact.
        short_term,
        /// 1 if references that are no pins are followed. An option too.
        foll_get,
    }
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
pub mod mapping_change {
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
    pub const ADVICE_FOR_VMA: u32 = 8;
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
pub struct MappingChanged {
    /// `id` is one of [`mapping_change`].
    pub header: Header,
    /// `mm_struct`, or for [`mapping_change::FILE`] `address_space`.
    pub within: u64,
    /// First byte; in the file for [`mapping_change::FILE`].
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
    /// The advice for [`mapping_change::ADVICE`]; for [`mapping_change::UNMAP`] 1 if mremap has moved the pages to another address.
    pub detail: u64,
    /// Command name of the thread.
    pub comm: [u8; limits::COMM_BYTES],
}

/// An address space or file that long-term pins are in came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct MmOrAddressSpaceGone {
    /// `id` is 1 for a file.
    pub header: Header,
    /// `mm_struct` or `address_space`.
    pub within: u64,
}

/// Levels of the buckets in [`RangeFilter`].
pub const LEVELS: usize = 4;
/// Buckets of a level.
pub const BUCKETS: usize = 32;
/// log2 of a bucket's bytes on the finest level: 2 MiB.
pub const FINEST_SHIFT: u32 = 21;
/// By how much that grows from level to level: 64 MiB, 2 GiB, 64 GiB.
pub const LEVEL_SHIFT: u32 = 5;

/// Where in an address space or file long-term extents are, roughly: what touches none of these buckets touches no extent.
/// An extent counts in each bucket that it touches, on the finest level on which these are fewer than [`BUCKETS`], modulo
/// [`BUCKETS`]. So extents come and go by additions alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RangeFilter {
    /// Extents.
    pub extents: u64,
    /// When the first extent that it was made for was opened (monotonic ns). The kernel uses addresses again: an older
    /// extent was another's.
    pub born_ns: u64,
    /// Extents by level and bucket.
    pub buckets: [u64; LEVELS * BUCKETS],
}

/// Which copies belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct CowKey {
    /// When the owner was opened (monotonic ns): owners' numbers are used again.
    pub opened_ns: u64,
    /// The owner.
    pub owner: u32,
    /// Bits of `cow_kind`.
    pub kind: u32,
}

/// What kind of copy it was.
pub mod cow_kind {
    /// For a reader that wants a page of its own.
    pub const UNSHARE: u32 = 1;
    /// Of anonymous memory.
    pub const ANONYMOUS: u32 = 2;
    /// Of a page that is held by a reference alone: then [`super::CowKey::owner`] is the process that took it, and
    /// [`super::CowKey::opened_ns`] the number of the stack with which it did.
    pub const FOLL_GET: u32 = 4;
}

/// CowStats of pinned pages of one owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct CowStats {
    /// CowStats made.
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
    /// First address of the owner, if it is an extent.
    pub extent_address: u64,
    /// The account of the owner.
    pub account: u64,
    /// When the reference was taken, for `cow_kind` (monotonic ns).
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
    pub mm: u64,
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

/// WindowStats of one process and cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct WindowStats {
    /// WindowStats.
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
    /// WindowStats by how long they were open.
    pub durations: [u64; DURATIONS],
}

/// WindowStats that can be open in one address space at one time.
pub const WINDOWS_PER_MM: u32 = 8;

/// The place of an open window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct ActiveWindowKey {
    /// `mm_struct`.
    pub mm: u64,
    /// Below [`WINDOWS_PER_MM`].
    pub place: u64,
}

/// An open window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ActiveWindow {
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

/// WindowStats against the kernel's own count; see `event::FlushCheck`.
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
