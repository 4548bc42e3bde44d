//! Kernel facts, tables and records of the finding hooks.

use crate::limits;
use crate::wire::Header;

kernel_facts! {
    /// Kernel facts for the programs of the finding hooks, injected beside [`crate::facts::Facts`]. Offsets are in
    /// bytes.
    MmEventFacts, read as u64 {
        /// Offset of `vm_fault.vma`.
        fault_vma,
        /// Offset of `vm_fault.address`.
        fault_address,
        /// Offset of `vm_fault.flags`.
        fault_flags,
        /// Offset of `vm_fault.page`, the page that a write is about to copy.
        fault_page,
        /// `FAULT_FLAG_UNSHARE`; 0 on kernels without the flag (before 5.19).
        unshare,
        /// Offset of `vm_area_struct.vm_mm`.
        vma_mm,
        /// Offset of `vm_area_struct.vm_flags`.
        vma_flags,
        /// Offset of `mm_struct.mm_users`, which is 0 while the kernel tears the mm down.
        mm_users,
        /// Offset of `mm_struct.tlb_flush_pending`.
        flush_pending,
        /// Offset of `mmu_gather.mm`.
        gather_mm,
        /// Offset of `page.mapping`, whose low bits tell file, anonymous, KSM and movable pages apart
        /// (`PAGE_MAPPING_FLAGS`).
        page_mapping,
        /// Offset of `page.index` or `folio.index`, the offset in the file in pages.
        page_index,
        /// Offset of `pt_regs.orig_ax`, the number of the system call.
        regs_syscall,
        /// Offset of `pt_regs.di`, the first argument of the system call.
        regs_first,
        /// Offset of `pt_regs.si`, the second argument.
        regs_second,
        /// Offset of `pt_regs.dx`, the third argument.
        regs_third,
        /// Offset of `pt_regs.r10`, the fourth argument.
        regs_fourth,
        /// Offset of `task_struct.thread_info.status` (x86), which tells 32-bit system calls.
        thread_status,
        /// Offset of `socket.file`.
        socket_file,
        /// `sizeof(struct pt_regs)`.
        regs_bytes,
        /// One of [`unmap`].
        unmap_prototype,
        /// Offset of `unmap_desc.vma_start` (from 7.0 on).
        unmap_start,
        /// Offset of `unmap_desc.vma_end`.
        unmap_end,
        /// One of [`advice`].
        advice_prototype,
        /// Offset of `madvise_behavior.behavior` (from 6.16 on).
        advice_behavior,
        /// 1 if hooks see each vma of MADV_DONTNEED.
        advice_per_vma,
        /// Offset of `madvise_behavior.mm` (from 6.17 on).
        advice_mm,
        /// One of [`protect`].
        protect_prototype,
        /// 1 if `PG_anon_exclusive` exists (5.19), so that a write fault does not copy an exclusive page.
        exclusive,
        /// Offset of `inode.i_data`, the `address_space` of a file's own pages.
        inode_data,
        /// Offset of `inode.i_count`, which is 0 while the kernel frees the inode.
        inode_count,
        /// Offset of `inode.i_blkbits`, log2 of the file's block size, one byte.
        inode_block_bits,
        /// Offset of `address_space.host`, the inode.
        address_space_host,
        /// 1 if `page.index` of a hugetlb page counts huge pages (up to 6.6).
        hugetlb_index,
        /// Bit number of `PG_lru`: the page is on an LRU list. If the bit is clear, an LRU batch, or the code that
        /// isolated the page, holds one of the page's references.
        pg_lru,
        /// Bit number of `PG_swapcache`: the swap cache has a reference.
        pg_swapcache,
        /// Offset of `bio.bi_io_vec`, the array of `bio_vec`.
        bio_vecs,
        /// Offset of `bio.bi_vcnt`, the number of entries of the array, two bytes.
        bio_vec_count,
        /// 1 if hooks see that direct I/O drops the references of a bio.
        bio_releases,
        /// 1 if the finding hooks are attached. The value is an option and no kernel fact.
        findings,
        /// 1 if short-term pins get extents too. The value is an option and no kernel fact.
        short_term,
        /// 1 if `FOLL_GET` references are followed. The value is an option and no kernel fact.
        foll_get,
        /// 1 if the flush windows of mms without pins count too. The value is an option and no kernel fact.
        all_windows,
    }
}

/// Parameters of `unmap_vmas` (mm/memory.c).
pub mod unmap {
    /// (tlb, vma, start, end): up to 6.0.
    pub const VMA: u32 = 0;
    /// (tlb, tree, vma, start, end): from 6.1 on.
    pub const TREE: u32 = 1;
    /// (tlb, `unmap_desc`): from 7.0 on.
    pub const UNMAP_DESC: u32 = 2;
}

/// Parameters of `madvise_do_behavior` (mm/madvise.c).
pub mod advice {
    /// (mm, start, len, `madvise_behavior`): 6.16. In 6.15 the fourth parameter is the advice itself.
    pub const WITH_MM: u32 = 0;
    /// (start, len, `madvise_behavior`): from 6.17 on.
    pub const WITHOUT_MM: u32 = 1;
}

/// Parameters of `change_protection` (mm/mprotect.c), and its flags.
pub mod protect {
    /// (vma, start, end, newprot, flags): up to 5.18. The function flushes before it returns.
    pub const WITHOUT_TLB: u32 = 0;
    /// (tlb, vma, start, end, newprot, flags): up to about 6.2.
    pub const TLB_AND_NEWPROT: u32 = 1;
    /// (tlb, vma, start, end, flags).
    pub const TLB: u32 = 2;
    /// Flag: NUMA hinting, by which the kernel finds the node that uses the memory (`MM_CP_PROT_NUMA`).
    pub const NUMA: u64 = 1 << 1;
    /// Flag: userfaultfd adds write protection (`MM_CP_UFFD_WP`).
    pub const UFFD_WP: u64 = 1 << 2;
    /// Flag: userfaultfd removes write protection (`MM_CP_UFFD_WP_RESOLVE`).
    pub const RESOLVE: u64 = 1 << 3;
    /// Flags: userfaultfd sets or resolves read-write protection (7.3, `MM_CP_UFFD_RWP` and
    /// `MM_CP_UFFD_RWP_RESOLVE`).
    pub const RWP: u64 = 3 << 4;
    /// A flag of the vma and not of the call: `VM_WRITE` (include/linux/mm.h).
    pub const VM_WRITE: u64 = 2;
}

/// Kind of a mapping change, as far as the hook knows the kind.
pub mod mapping_change {
    /// `unmap_vmas`, or `move_page_tables` for MREMAP_DONTUNMAP; the system call gives the reason.
    pub const UNMAP: u32 = 1;
    /// `madvise_do_behavior` or `do_madvise`; `detail` is the advice.
    pub const ADVICE: u32 = 2;
    /// `change_protection` for mprotect.
    pub const PROTECT: u32 = 3;
    /// `change_protection` for userfaultfd.
    pub const UFFD_WP: u32 = 4;
    /// `clear_refs_write`.
    pub const SOFT_DIRTY: u32 = 5;
    /// `unmap_mapping_range`, for a range of a file; `detail` is 1 if the range extends to the end of the file.
    pub const FILE: u32 = 6;
    /// `copy_page_range`.
    pub const FORK: u32 = 7;
    /// A function that `do_madvise` calls for one vma; `detail` is the advice. For MADV_FREE the record of `do_madvise`
    /// follows, unless the compiler has inlined `do_madvise` into the system call.
    pub const ADVICE_FOR_VMA: u32 = 8;
    /// A power of two above every kind.
    pub const COUNT: usize = 16;
}

/// Cause of a flush window.
pub mod cause {
    /// Write protection by userfaultfd.
    pub const UFFD_WP: u32 = 0;
    /// Write protection by mprotect.
    pub const PROTECT: u32 = 1;
    /// Reset of the soft-dirty bits.
    pub const SOFT_DIRTY: u32 = 2;
    /// NUMA hinting.
    pub const NUMA: u32 = 3;
    /// A cause of a later version. No program of this version produces it.
    pub const OTHER: u32 = 4;
}

/// Record of a changed mapping near long-term pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct MappingChanged {
    /// Header, whose `id` is one of [`mapping_change`].
    pub header: Header,
    /// Address of the `mm_struct`; for [`mapping_change::FILE`], of the `address_space`.
    pub within: u64,
    /// First byte of the range, an address; for [`mapping_change::FILE`] an offset in the file.
    pub address: u64,
    /// End of the range, after its last byte.
    pub end: u64,
    /// Number of pages changed, where the kernel counts the pages.
    pub pages: u64,
    /// tgid << 32 | tid.
    pub pid_tgid: u64,
    /// Id of the kernel stack, or the negative error of `bpf_get_stackid`.
    pub stack: i64,
    /// Number of the system call; -1 outside a system call.
    pub call: i64,
    /// The advice for [`mapping_change::ADVICE`] and [`mapping_change::ADVICE_FOR_VMA`]; for [`mapping_change::UNMAP`]
    /// 1 if mremap has moved the pages; for [`mapping_change::FILE`] 1 if the range extends to the end of the file.
    pub detail: u64,
    /// 1 if records of unmapped ranges of the mm were suppressed before.
    pub unmaps_suppressed: u64,
    /// Command name of the thread.
    pub comm: [u8; limits::COMM_BYTES],
}

/// Record of the end of an mm or file with long-term pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct MmOrAddressSpaceGone {
    /// Header, whose `id` is 1 for a file.
    pub header: Header,
    /// Address of the `mm_struct` or `address_space`.
    pub within: u64,
}

/// Number of levels of the buckets in [`RangeFilter`].
pub const LEVELS: usize = 4;
/// Number of buckets of a level.
pub const BUCKETS: usize = 32;
/// log2 of the bytes of a bucket on the finest level: 2 MiB.
pub const FINEST_SHIFT: u32 = 21;
/// log2 of the factor from level to level, 32: a bucket of the next levels has 64 MiB, 2 GiB and 64 GiB.
pub const LEVEL_SHIFT: u32 = 5;

/// The approximate ranges of the extents in an mm or file. A range that touches no bucket with an extent touches no
/// extent. An extent counts in each bucket that it touches, on the finest level on which it touches at most [`BUCKETS`]
/// buckets. Bucket numbers are modulo [`BUCKETS`]. Each bucket is a counter: an atomic addition of 1 adds an
/// extent, and of -1 removes it, without a lock (a counting filter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RangeFilter {
    /// Number of extents.
    pub extents: u64,
    /// Time when the first extent of the filter was opened (monotonic ns). An extent that was opened earlier does not
    /// count here: it belongs to an mm or address_space that was freed, and whose address is used again.
    pub born_ns: u64,
    /// Records of the current interval by kind of change, each interval << 32 | records ([`RangeFilter::MOST_RECORDS`]).
    pub records: [u64; mapping_change::COUNT],
    /// Number of suppressed records of kind [`mapping_change::UNMAP`]. If it is not 0, later changes may be at addresses
    /// that no longer map pinned pages.
    pub unmaps_suppressed: u64,
    /// Number of extents by level and bucket.
    pub buckets: [u64; LEVELS * BUCKETS],
}

impl RangeFilter {
    /// log2 of the length of an interval in ns: about a second.
    pub const INTERVAL_SHIFT: u32 = 30;
    /// Most records of one kind for one mm or file in one interval. The ring has room for 25 times as many.
    pub const MOST_RECORDS: u64 = 1000;
}

/// Mapping changes of one process that have no record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SuppressedChanges {
    /// Number of changes.
    pub changes: u64,
    /// Command name of the thread that made the first change.
    pub comm: [u8; limits::COMM_BYTES],
}

/// Identity of the copies that are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct CowKey {
    /// Time when the owner was opened (monotonic ns), because the numbers of owners are used again.
    pub opened_ns: u64,
    /// The owner.
    pub owner: u32,
    /// Bits of [`cow_kind`].
    pub kind: u32,
}

/// Kind of a copy.
pub mod cow_kind {
    /// Copy for a read-only pin, which needs an exclusive anonymous page (`FAULT_FLAG_UNSHARE`).
    pub const UNSHARE: u32 = 1;
    /// Copy of anonymous memory.
    pub const ANONYMOUS: u32 = 2;
    /// Copy of a page without pins that a `FOLL_GET` reference holds. [`super::CowKey::owner`] is then the process that
    /// took the reference, and [`super::CowKey::opened_ns`] is not a time but [`super::CowStats::taken_stack`].
    pub const FOLL_GET: u32 = 4;
    /// With [`FOLL_GET`]: direct I/O that writes to the page (`FOLL_WRITE`) is under way.
    pub const READ_UNDER_WAY: u32 = 8;
}

/// Copies of the pinned pages of one owner, or of the referenced pages of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct CowStats {
    /// Number of copies.
    pub copies: u64,
    /// Number of pages copied.
    pub pages: u64,
    /// Number of copies made while another thread's flush of the address was pending.
    pub in_window: u64,
    /// Lowest address copied.
    pub address: u64,
    /// End of the highest page copied.
    pub end: u64,
    /// Time of the first copy (monotonic ns).
    pub first_ns: u64,
    /// Time of the latest copy (monotonic ns).
    pub last_ns: u64,
    /// tgid << 32 | tid of the first copy.
    pub pid_tgid: u64,
    /// Id of the kernel stack of the first copy, or the negative error of `bpf_get_stackid`.
    pub stack: i64,
    /// First address of the owner, if the owner is an extent.
    pub extent_address: u64,
    /// Id of the owner's account.
    pub account: u64,
    /// Time when the reference was taken, for [`cow_kind::FOLL_GET`] (monotonic ns).
    pub taken_ns: u64,
    /// tgid << 32 | tid of the thread that took the reference.
    pub taken_by: u64,
    /// Id of the kernel stack of the reference, or the negative error of `bpf_get_stackid`.
    pub taken_stack: i64,
    /// Command name of the thread that made the first copy.
    pub comm: [u8; limits::COMM_BYTES],
}

/// A `FOLL_GET` reference to a small folio. The reference is no pin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Reference {
    /// Address of the `mm_struct` in which the reference was taken.
    pub mm: u64,
    /// User address of the page.
    pub address: u64,
    /// Time when the reference was taken (monotonic ns).
    pub taken_ns: u64,
    /// tgid << 32 | tid of the thread that took the reference.
    pub taken_by: u64,
    /// Id of the kernel stack, or the negative error of `bpf_get_stackid`.
    pub stack: i64,
    /// `FOLL_WRITE` of the flags of the call.
    pub for_writing: u64,
    /// 1 once the page is in a bio, so that a hook sees the end of the reference.
    pub in_bio: u64,
}

/// Identity of the flush windows that are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct WindowKey {
    /// The process.
    pub tgid: u32,
    /// One of [`cause`].
    pub cause: u32,
}

/// Number of buckets of the histogram of durations. Bucket n counts durations from 2^(n-1) to below 2^n ns; the last bucket
/// counts all longer durations too.
pub const DURATIONS: usize = 40;

/// Flush windows of one process and cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct WindowStats {
    /// Number of closed windows in which pages changed while other tasks used the mm; for [`cause::SOFT_DIRTY`], of all
    /// resets.
    pub windows: u64,
    /// Number of pages changed.
    pub pages: u64,
    /// Duration of the longest window in ns.
    pub longest_ns: u64,
    /// Number of write faults of other threads inside a window.
    pub faults: u64,
    /// Number of copies in windows of userfaultfd whose flush was pending before the copy, and still after the copy.
    pub copies: u64,
    /// Number of pages that other threads pinned inside a window.
    pub pins: u64,
    /// Time when the first window opened (monotonic ns); if an event inside the window made the entry, the time of the
    /// event.
    pub first_ns: u64,
    /// Time of the latest close of a window, or event inside (monotonic ns).
    pub last_ns: u64,
    /// Address of the latest fault, copy or pin inside a window.
    pub address: u64,
    /// Command name of the thread that made the entry.
    pub comm: [u8; limits::COMM_BYTES],
    /// Number of windows by bucket of duration.
    pub durations: [u64; DURATIONS],
}

/// Maximum number of open windows in one mm.
pub const WINDOWS_PER_MM: u32 = 8;

/// Identity of an open window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct ActiveWindowKey {
    /// Address of the `mm_struct`.
    pub mm: u64,
    /// Slot of the window in the mm, below [`WINDOWS_PER_MM`].
    pub slot: u64,
}

/// An open window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ActiveWindow {
    /// tgid << 32 | tid of the thread that protects.
    pub pid_tgid: u64,
    /// First byte protected.
    pub address: u64,
    /// End of the protected range, after its last byte.
    pub end: u64,
    /// Time when the window opened (monotonic ns).
    pub opened_ns: u64,
    /// Number of pages changed so far.
    pub pages: u64,
    /// One of [`cause`].
    pub cause: u64,
    /// First byte of the latest range protected.
    pub latest_start: u64,
    /// End of the latest range protected.
    pub latest_end: u64,
    /// 1 if other tasks use the mm too and may have stale translations.
    pub exposed: u64,
    /// The process of the mm.
    pub tgid: u64,
    /// Time when `change_protection` returned (monotonic ns); 0 while the task is inside `change_protection`. For
    /// hugetlb, `change_protection` calls `tlb_finish_mmu` itself, and that call must not close the window.
    pub returned_ns: u64,
}

/// Faults by flush window and by the kernel's own count of pending flushes; see `pintrace_events::FlushCheck`.
pub mod flush_check {
    /// A window covers the fault, and a flush is pending.
    pub const AGREED: u32 = 0;
    /// Only a window covers the fault.
    pub const COVERED: u32 = 1;
    /// Only a flush is pending.
    pub const PENDING: u32 = 2;
    /// Number of cases.
    pub const COUNT: u32 = 3;
}
