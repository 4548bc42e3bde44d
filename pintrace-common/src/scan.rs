//! Definitions that the scan of all struct pages and user space share.

/// Number of struct pages that the scan reads at once.
pub const CHUNK_PAGES: u64 = 64;
/// Bytes of a struct page. The scan supports no other size.
pub const PAGE_STRUCT: usize = 64;
/// Number of chunks in one run of the program, which takes about half a millisecond.
pub const RUN_CHUNKS: u32 = ROWS * ROW_CHUNKS;
/// Number of rows in a run.
pub const ROWS: u32 = 32;
/// Number of chunks in a row. The loops are nested, because the verifier follows each iteration of a loop.
pub const ROW_CHUNKS: u32 = 32;
/// Number of entries of [`PinnedFolio`] in a [`Block`].
pub const BLOCK: usize = 128;
/// Number of blocks in the map, enough for every page of a run.
#[expect(clippy::cast_possible_truncation, reason = "small constants")]
pub const BLOCKS: u32 = RUN_CHUNKS * CHUNK_PAGES as u32 / BLOCK as u32;
/// Number of bytes that one `probe_read` returns.
pub const PROBE_READ_BYTES: usize = 64;
/// Maximum number of words that one `read_block` returns.
pub const BLOCK_WORDS: usize = 4096;
/// Maximum number of release functions by which the file iterators select files.
pub const RELEASES: usize = 8;

/// log2 of the pages of a memory section. A section has struct pages for all its pages or for none. A section is 128
/// MiB on x86-64 (arch/x86/include/asm/sparsemem.h), and not smaller elsewhere.
pub const SECTION_ORDER: u64 = 15;

/// Mark of a free block of the buddy allocator in its first struct page (`PageBuddy`).
pub mod buddy {
    /// The mark is not known. The scan reads free pages like other pages.
    pub const UNKNOWN: u32 = 0;
    /// The top byte of `page_type` is `PGTY_buddy` (6.12 and later, include/linux/page-flags.h).
    pub const TOP_BYTE: u32 = 1;
    /// `PAGE_TYPE_BASE` is set and the bit `PG_buddy` is not (up to 6.10).
    pub const CLEARED_BIT: u32 = 2;
    /// `PAGE_TYPE_BASE`.
    pub const BASE: u32 = 0xf000_0000;
    /// `PG_buddy` up to 6.10, a macro that BTF does not contain.
    pub const BIT: u32 = 0x80;
}

kernel_facts! {
    /// Kernel facts for the scan. Offsets are in bytes, within `struct page` or the folio's head page.
    ScanFacts, read as u32 {
        /// Offset of `page.flags`.
        page_flags,
        /// Offset of `page.mapping`.
        page_mapping,
        /// Offset of `page._mapcount`, and of `page_type` in the same union.
        page_mapcount,
        /// Offset of `page._refcount`.
        page_refcount,
        /// Offset of `page.private`, the order of a free block.
        page_private,
        /// Bit number of `PG_head`.
        pg_head,
        /// One of [`buddy`].
        buddy,
        /// `PGTY_buddy`, for [`buddy::TOP_BYTE`].
        pgty_buddy,
        /// Offset of the folio's number of pages, a u32, from the head page.
        folio_nr_pages,
        /// Offset of the exact number of pins of a large folio, from the head page.
        folio_pincount,
        /// Least order of folios that have an exact number of pins: 5.10 keeps the number in the third struct page.
        pincount_order,
        /// `GUP_PIN_COUNTING_BIAS`.
        pin_bias,
        /// Offset of `task_struct.mm`.
        task_mm,
        /// Offset of `task_struct.tgid`.
        task_tgid,
        /// Offset of `mm_struct.has_pinned` (up to 5.13) or `mm_struct.flags`.
        mm_flags,
        /// Bit number of `PG_uptodate`.
        pg_uptodate,
        /// Bit number of `PG_anon_exclusive`; [`Facts::ABSENT`](crate::facts::Facts::ABSENT) before 5.19.
        pg_anon_exclusive,
        /// BTF id of `struct folio`; 0 if the kernel has no such struct.
        folio_type,
        /// Offset of `task_struct.pid`, the id of the thread.
        task_pid,
        /// Offset of `task_struct.io_uring`; 0 if the kernel has no registered rings (before 5.18).
        task_io_uring,
        /// Offset of `file.f_op`.
        file_op,
        /// Offset of `file_operations.release`.
        op_release,
        /// Offset of `file.private_data`.
        file_private,
        /// Offset of `socket.sk`.
        socket_sk,
        /// Offset of `sock.__sk_common.skc_family`, a u16.
        sock_family,
        /// Offset of `vm_area_struct.vm_file`.
        vma_file,
        /// Offset of `vm_area_struct.vm_start`.
        vma_start,
    }
}

/// Progress and counts of a run of the scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ScanState {
    /// Address of the struct page of frame 0.
    pub vmemmap: u64,
    /// Next frame to scan.
    pub next: u64,
    /// First frame that is not scanned.
    pub end: u64,
    /// Number of entries that the run wrote.
    pub found: u64,
    /// Number of struct pages read.
    pub read: u64,
    /// Number of pages of free blocks and large folios that the run stepped over without a read.
    pub stepped: u64,
    /// Number of pages of free blocks as large as a chunk.
    pub free: u64,
    /// Number of pages without a struct page: the memory could not be read.
    pub absent: u64,
    /// Number of the section that was last found to have struct pages.
    pub section: u64,
}

/// The page is anonymous (`FOLIO_MAPPING_ANON`).
pub const MAPPING_ANON: u8 = 1;
/// KSM has merged the page (`FOLIO_MAPPING_KSM` is both bits).
pub const MAPPING_KSM: u8 = 3;
/// The page belongs to a file.
pub const MAPPING_FILE: u8 = 4;

/// The head page is exclusive (`PG_anon_exclusive`).
pub const EXCLUSIVE_YES: u8 = 1;
/// The head page is not exclusive.
pub const EXCLUSIVE_NO: u8 = 2;

/// A folio that is pinned or seems pinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PinnedFolio {
    /// Frame of the head page.
    pub pfn: u64,
    /// Number of pins: exact for a large folio; for a small folio references / 1024, which may include other
    /// references.
    pub pins: u32,
    /// Number of references, `_refcount`.
    pub refcount: u32,
    /// Number of mappings of a small folio, `_mapcount + 1`; 0 for a large folio.
    pub mapcount: u32,
    /// log2 of the number of pages.
    pub order: u8,
    /// 0, or one of `MAPPING_*`.
    pub mapping: u8,
    /// 1 if the content is valid (`PG_uptodate`), as for each page of a file that user space can map.
    pub uptodate: u8,
    /// 0, or one of `EXCLUSIVE_*`: whether the head page of an anonymous folio is exclusive.
    pub exclusive: u8,
}

/// A block of entries, the value of the map.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Block {
    /// The entries.
    pub entries: [PinnedFolio; BLOCK],
}

/// Result of a read of kernel memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ProbeRead {
    /// Address of the `task_struct` of the reader.
    pub task: u64,
    /// 1 if the bytes could be read.
    pub readable: u64,
    /// The words at the address.
    pub words: [u64; PROBE_READ_BYTES / 8],
}

/// Result of a read of a block of kernel memory.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct ReadBlock {
    /// 1 if the words could be read.
    pub readable: u64,
    /// The words at the address.
    pub words: [u64; BLOCK_WORDS],
}

/// A task with an mm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TaskSeen {
    /// Address of the `task_struct`.
    pub task: u64,
    /// Process and thread: tgid << 32 | tid.
    pub pid_tgid: u64,
    /// Address of the `mm_struct`, which identifies the mm.
    pub mm: u64,
    /// The word of the mm that contains the mark of a pin (`ScanFacts::mm_flags`).
    pub mm_flags: u64,
    /// Address of the `io_uring_task`; 0 for none.
    pub io_uring: u64,
}

/// What the file iterators select: one file, or files by their release functions. An unused entry is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FileFilter {
    /// Addresses of functions that `file_operations.release` names.
    pub releases: [u64; RELEASES],
    /// `sock_close`. A socket is selected only if the family of the socket is `family`.
    pub socket_release: u64,
    /// Address family of the sockets to select.
    pub family: u64,
    /// Address of the `struct file` to select; 0 to select by functions.
    pub file: u64,
}

/// An open file that the filter selects: a descriptor, or a mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FileSeen {
    /// Address of the `struct file`.
    pub file: u64,
    /// Process and thread: tgid << 32 | tid.
    pub pid_tgid: u64,
    /// Number of the descriptor, or the user address of the mapping.
    pub place: u64,
    /// The function in `file_operations.release`.
    pub release: u64,
}
