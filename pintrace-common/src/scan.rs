//! What the scan of all struct pages and user space agree on.

/// Struct pages that are read at once.
pub const CHUNK_PAGES: u64 = 64;
/// Bytes of a struct page; the scan knows no other size.
pub const PAGE_STRUCT: usize = 64;
/// Chunks that one run of the program looks at: about half a millisecond.
pub const RUN_CHUNKS: u32 = ROWS * ROW_CHUNKS;
/// A run is so many rows...
pub const ROWS: u32 = 32;
/// ... of so many chunks: the verifier follows a loop turn by turn, and each of the two by itself.
pub const ROW_CHUNKS: u32 = 32;
/// Entries of [`PinnedFolio`] in one value of the map that holds them.
pub const BLOCK: usize = 128;
/// Values of that map: room for every page that one run can look at.
#[expect(clippy::cast_possible_truncation, reason = "small constants")]
pub const BLOCKS: u32 = RUN_CHUNKS * CHUNK_PAGES as u32 / BLOCK as u32;
/// Bytes that one look at kernel memory gives.
pub const PROBE_READ_BYTES: usize = 64;

/// log2 of the pages of a section of memory: all of them have struct pages, or none (128 MiB on x86-64,
/// arch/x86/include/asm/sparsemem.h; no less elsewhere).
pub const SECTION_ORDER: u64 = 15;

/// How a free block of the buddy allocator shows itself in its first struct page (`PageBuddy`).
pub mod buddy {
    /// It does not show, or in a way that is not known: free pages are read like others.
    pub const UNKNOWN: u32 = 0;
    /// The top byte of `page_type` is the value of `PGTY_buddy` (6.12 and later, include/linux/page-flags.h).
    pub const TOP_BYTE: u32 = 1;
    /// `PAGE_TYPE_BASE` is set and the bit `PG_buddy` is not (up to 6.10).
    pub const CLEARED_BIT: u32 = 2;
    /// `PAGE_TYPE_BASE`.
    pub const BASE: u32 = 0xf000_0000;
    /// `PG_buddy` there, a macro that BTF does not show.
    pub const BIT: u32 = 0x80;
}

kernel_facts! {
    /// Offsets are in bytes, within `struct page` or the folio's head page.
    ScanFacts, read as u32 {
        /// `page.flags`.
        page_flags,
        /// `page.mapping`.
        page_mapping,
        /// `page._mapcount`; `page_type` lies in the same place.
        page_mapcount,
        /// `page._refcount`.
        page_refcount,
        /// `page.private`: the order of a free block.
        page_private,
        /// The bit number of `PG_head`.
        pg_head,
        /// One of [`buddy`].
        buddy,
        /// `PGTY_buddy`, for [`buddy::TOP_BYTE`].
        pgty_buddy,
        /// The folio's number of pages, a u32 seen from the head page.
        folio_nr_pages,
        /// The exact count of pins of a large folio, seen from the head page.
        folio_pincount,
        /// The least order of folios that have one: 5.10 keeps it in the third struct page.
        pincount_order,
        /// `GUP_PIN_COUNTING_BIAS`.
        pin_bias,
        /// `task_struct.mm`.
        task_mm,
        /// `task_struct.tgid`.
        task_tgid,
        /// `mm_struct.has_pinned` (up to 5.13) or `mm_struct.flags`.
        mm_flags,
        /// The bit number of `PG_uptodate`.
        pg_uptodate,
        /// The number of `struct folio` among the kernel's types; 0 where it has none.
        folio_type,
    }
}

/// A run of the scan: where it stands and what it has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ScanState {
    /// Address of the struct page of frame 0.
    pub vmemmap: u64,
    /// The frame to go on with.
    pub next: u64,
    /// The frame to stop before.
    pub end: u64,
    /// Entries written by this run.
    pub found: u64,
    /// Struct pages read.
    pub read: u64,
    /// Pages of free blocks and large folios that were stepped over unread.
    pub stepped: u64,
    /// Pages of free blocks as large as a chunk.
    pub free: u64,
    /// Pages whose struct page cannot be read: there is none.
    pub absent: u64,
    /// The section of memory that was found to have struct pages last.
    pub section: u64,
    /// Bits of `mm_flags` of which a process must have one to be told by the task iterator; 0 for all.
    pub pinned_mask: u64,
}

/// The page's `mapping` is an anonymous one (`FOLIO_MAPPING_ANON`).
pub const MAPPING_ANON: u8 = 1;
/// Merged by KSM (`FOLIO_MAPPING_KSM` is both bits).
pub const MAPPING_KSM: u8 = 3;
/// It belongs to a file.
pub const MAPPING_FILE: u8 = 4;

/// A folio that is pinned, or looks as if it were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PinnedFolio {
    /// Frame of its head page.
    pub pfn: u64,
    /// Pins: exact for a large folio; for a small one references / 1024, of which other references may be a part.
    pub pins: u32,
    /// References, `_refcount`.
    pub refcount: u32,
    /// How often a small folio is mapped, `_mapcount + 1`; 0 for large ones.
    pub mapcount: u32,
    /// log2 of its pages.
    pub order: u8,
    /// 0, or one of `MAPPING_*`.
    pub mapping: u8,
    /// 1 if its content is valid (`PG_uptodate`), as that of each page is that user space can map from a file.
    pub uptodate: u8,
    /// Keeps the size a multiple of 8.
    pub unused: u8,
}

/// Entries as the map holds them.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Block {
    /// The entries.
    pub entries: [PinnedFolio; BLOCK],
}

/// A look at kernel memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ProbeRead {
    /// `task_struct` of whoever looks.
    pub task: u64,
    /// 1 if the bytes could be read.
    pub readable: u64,
    /// Words from the address on.
    pub words: [u64; PROBE_READ_BYTES / 8],
}

/// A task that has, or may have, pinned pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TaskSeen {
    /// Its `task_struct`.
    pub task: u64,
    /// Its process.
    pub tgid: u64,
    /// Its `mm_struct`, as an identity.
    pub mm: u64,
}
