//! The tables of the ledger that user space reads: accounts and extents.
//!
//! An *account* counts what one thread pins through one caller into one mm. Its running totals never decrease. An
//! *extent* is one contiguous range of long-term pins, and ends when its last page is released. Each extent belongs to
//! an account.
//!
//! An *owner* is an account or an extent, as one number: the number in a cell of the folio table.

/// Identity of the account that a pin belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct AccountKey {
    /// Address of the pinned `mm_struct`, if the caller named one; 0 for the thread's own mm.
    pub mm: u64,
    /// Return address in the function that called the pin function.
    pub caller: u64,
    /// Process and thread, as `bpf_get_current_pid_tgid` packs the ids: tgid << 32 | tid.
    pub pid_tgid: u64,
    /// 1 for `FOLL_LONGTERM`, else 0.
    pub longterm: u32,
    /// Start time of the thread in units of 65,536 ns, because another thread may have had the id before. For pins that no
    /// hook saw, a number that tells the open files of the process apart; 0 for none.
    pub started: u32,
}

impl AccountKey {
    /// Returns the process.
    #[inline]
    pub const fn tgid(&self) -> u32 {
        (self.pid_tgid >> 32) as u32
    }

    /// Returns the fields that are neither an id nor an address, as one number: `started` << 32 | `longterm`.
    #[inline]
    pub const fn kind(&self) -> u64 {
        (self.started as u64) << 32 | self.longterm as u64
    }

    /// Returns the thread.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is the thread id")]
    pub const fn tid(&self) -> u32 {
        self.pid_tgid as u32
    }
}

/// The words that every program looks at first, in one global variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HookState {
    /// The gate. At 0 the hooks count nothing but test pins.
    pub gate: u64,
    /// Number of long-term pin calls in flight.
    pub longterm_calls: u64,
    /// 1 if a hook counts the pins that are dropped for a migration, so that none is needed on `gup_put_folio`.
    pub counts_migrations: u64,
    /// Number of folios with several owners.
    pub multi_owner_folios: u64,
    /// Number of mms with pins.
    pub pinned_mms: u64,
    /// Number of mms and files with extents.
    pub range_filters: u64,
    /// 1 if a chunk is in the hash table, because its slot has another chunk.
    pub hashed_chunks: u64,
    /// Number of long-term pin calls whose entry no hook saw. The words up to this one, a cache line, hardly ever change;
    /// those below often do.
    pub untimed_calls: u64,
    /// Number of open flush windows.
    pub open_windows: u64,
    /// The timer tick in which `coarse_ns` was read.
    pub coarse_tick: u64,
    /// The time that some program read in that tick (monotonic ns).
    pub coarse_ns: u64,
}

impl HookState {
    /// The state before user space opens the gate.
    pub const ZERO: Self = Self {
        gate: 0,
        longterm_calls: 0,
        counts_migrations: 0,
        multi_owner_folios: 0,
        pinned_mms: 0,
        range_filters: 0,
        hashed_chunks: 0,
        untimed_calls: 0,
        open_windows: 0,
        coarse_tick: 0,
        coarse_ns: 0,
    };
}

/// Running totals of one account. Counts are pages, as the kernel counts pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Account {
    /// Identity of the account.
    pub key: AccountKey,
    /// Number of pages pinned since the account was opened.
    pub acquired: u64,
    /// Number of pages released since the account was opened.
    pub released: u64,
    /// Bytes kept in place: whole folios, each counted once for each owner.
    pub bytes_held: u64,
    /// Bytes of `bytes_held` in folios of 2 MiB and more.
    pub huge_bytes_held: u64,
    /// Number of pin calls that succeeded.
    pub calls: u64,
    /// Number of pin calls that failed, and of long-term calls that pinned fewer pages than they asked for.
    pub failed: u64,
    /// Time when the account last changed from no pages held to some (monotonic ns).
    pub held_since_ns: u64,
    /// Time when the account was opened (monotonic ns).
    pub opened_ns: u64,
    /// cgroup v2 id of the task that opened the account.
    pub cgroup: u64,
    /// Id of the first pin's stack in the stack table, or [`STACK_LATER`], or another negative number.
    pub stack: i64,
    /// Index of the extent that the account opened last, plus one; 0 for none.
    pub last_extent: u64,
    /// Kind of the holder, one of [`crate::holder_kind::kind`].
    pub holder_kind: u64,
    /// Number of pins and releases of anonymous pages that the kernel may share with another process.
    pub not_exclusive: u64,
    /// Command name of the thread when the account was opened.
    pub comm: [u8; crate::limits::COMM_BYTES],
}

/// Pages that were released from another owner of the same folio, where a rule chose the owner, and that may have been an
/// account's. The count is for one period in which the account has held pages without a break: the upper half is the
/// period, the lower half the number of pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct UnclearReleases(pub u64);

impl UnclearReleases {
    /// Returns the period that began at [`Account::held_since_ns`], in units of 65,536 ns.
    #[inline]
    #[must_use]
    pub const fn period(held_since_ns: u64) -> u64 {
        held_since_ns >> 16 << 32
    }

    /// Returns the pages of the period that began at [`Account::held_since_ns`].
    #[inline]
    #[must_use]
    pub const fn pages(self, held_since_ns: u64) -> u64 {
        if self.0 >> 32 << 32 == Self::period(held_since_ns) {
            self.0 & u32::MAX as u64
        } else {
            0
        }
    }
}

/// Stands for the id of a stack that another program has yet to take.
pub const STACK_LATER: i64 = -4096;

/// A pin call whose stack another program has to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WantedStack {
    /// Address of the trampoline's frame; 0 for none.
    pub call: u64,
    /// Id of the account that the call opened; 0 for none.
    pub account: u64,
    /// Index of the extent that the call opened, plus one; 0 for none.
    pub extent: u64,
}

/// Bit that is set in the number of an owner that is an extent.
pub const EXTENT_BIT: u32 = 1 << 31;

/// A process that has an account, until the process ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PinningProcess {
    /// Number of pages that the process holds with long-term pins.
    pub longterm_pages_held: u64,
    /// Time when the process opened its first account (monotonic ns). An older account with the same tgid belongs to an
    /// earlier process.
    pub since_ns: u64,
    /// Address of the process's own `mm_struct`.
    pub mm: u64,
}

/// One contiguous range of long-term pins. Counts are pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Extent {
    /// Number of pages still pinned, plus [`Extent::CALL_BIAS`] while a pin call adds to the extent.
    pub pages_held: u64,
    /// Bytes kept in place, in whole folios.
    pub bytes_held: u64,
    /// User address of the first page.
    pub address: u64,
    /// User address after the last page.
    pub end: u64,
    /// Number of pages pinned since the extent was opened.
    pub pages: u64,
    /// Time when the first pin succeeded (monotonic ns).
    pub opened_ns: u64,
    /// Time when the latest pin call added to the extent (monotonic ns).
    pub grown_ns: u64,
    /// `gup_flags` of the first call, and [`Extent::INEXACT_MARKS`].
    pub flags: u32,
    /// Id of the extent's account.
    pub account: u32,
    /// Id of the stack in the stack table, or [`STACK_LATER`], or another negative number.
    pub stack: i64,
    /// Address of the `mm_struct` to which `address` belongs; 0 for the pages of a memfd.
    pub mm: u64,
    /// Address of the `address_space` to which the first page belongs; 0 for anonymous memory.
    pub address_space: u64,
    /// Offset of the first page in the file, in bytes.
    pub file_offset: u64,
    /// Hash of number and arguments of the system call that pinned last; 0 for none.
    pub call: u64,
    /// Address of the `struct file` behind the descriptor on which the system call pinned; 0 for none.
    pub file: u64,
    /// Hash of the first bytes of the structure that the system call passed by address; 0 for none.
    pub argument: u64,
    /// Address of the struct page of the first page, or of its folio's head page for the pages of a memfd.
    pub first_page: u64,
    /// Address of the struct page of the last page, likewise.
    pub last_page: u64,
    /// Index plus one of the extent of the next area of the same call; 0 for none.
    pub next_area: u32,
    /// Descriptor on which the first system call pinned, in the process that made the call; [`Extent::NO_DESCRIPTOR`] if
    /// unknown.
    pub descriptor: u32,
}

impl Extent {
    /// Added to `pages_held` while a pin call adds pages, so that no release closes the extent meanwhile.
    pub const CALL_BIAS: u64 = 1 << 40;
    /// Stands for an unknown descriptor. It is the lower half of [`crate::pin_calls::NO_DESCRIPTOR`].
    pub const NO_DESCRIPTOR: u32 = u32::MAX;
    /// Bit of `flags` beside those of the call: some pages were released, and the hooks do not know which pages are
    /// left.
    pub const PARTIALLY_RELEASED: u32 = 1 << 31;
    /// Bit of `flags`: the extent was one of several owners of a folio when a rule chose the owner of a release. The
    /// number of pages left is not known.
    pub const AMBIGUOUS_OWNER: u32 = 1 << 30;
    /// Bit of `flags`: pages of the extent may belong to another file than `address_space`, because the call pinned too
    /// many areas.
    pub const AREAS_UNKNOWN: u32 = 1 << 29;
    /// The marks of an extent about which less is known: [`Self::PARTIALLY_RELEASED`], [`Self::AMBIGUOUS_OWNER`] and
    /// [`Self::AREAS_UNKNOWN`].
    pub const INEXACT_MARKS: u32 = Self::PARTIALLY_RELEASED | Self::AMBIGUOUS_OWNER | Self::AREAS_UNKNOWN;
}

/// Number of owners in one block.
pub const OWNER_CELLS: usize = 13;

/// A block of the owners of a multi-owner folio. The first block has the key head, the address of the folio's head page,
/// and block `n` has the key of [`OwnerBlock::key`]. Every word changes by compare-and-swap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct OwnerBlock {
    /// In the first block: number of pins in all cells of all blocks, plus [`OwnerBlock::MAKING`] while the block is being
    /// made, or [`OwnerBlock::DEAD`] once the blocks are about to be removed.
    pub pins: u64,
    /// Address of the folio's head page. The map may use the memory of a removed block for another folio.
    pub head: u64,
    /// In the first block: number of the last block.
    pub last: u64,
    /// Pins by owner, each owner << 32 | pins, or 0.
    pub cells: [u64; OWNER_CELLS],
}

impl OwnerBlock {
    /// Value of `pins` of a folio to which no pin may be added any more.
    pub const DEAD: u64 = u64::MAX;
    /// Part of `pins` of a block that is being made. Nobody can take the sum for 0 meanwhile.
    pub const MAKING: u64 = 1 << 48;

    /// Returns the key of block `n` below 2^15. The upper bits of a kernel address are all set.
    #[inline]
    #[must_use]
    pub const fn key(head: u64, n: u32) -> u64 {
        head ^ (n as u64) << 48
    }
}

/// Number of struct pages that one chunk of the folio table covers.
pub const CHUNK_PAGES: usize = 64;

/// A chunk of the folio table: a cell for each struct page of an aligned run of [`CHUNK_PAGES`].
///
/// A cell is owner << 32 | pins, or 0 for a folio without pins in the ledger, or [`MULTI_OWNER_MARK`]. Only the cell of
/// a folio's head page is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Chunk {
    /// Pins by struct page.
    pub cells: [u64; CHUNK_PAGES],
}

/// A chunk in the array of chunks, where a look-up costs a fifth of one in a hash table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ChunkSlot {
    /// Address of the first struct page / (64 * sizeof(struct page)), or 0. The first chunk that needs the slot keeps it.
    pub unit: u64,
    /// The chunk.
    pub chunk: Chunk,
}

/// Value of a cell whose folio has an entry among the multi-owner folios.
pub const MULTI_OWNER_MARK: u64 = (u32::MAX as u64) << 32;
