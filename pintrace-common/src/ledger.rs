//! What the kernel-side tables hold and user space reads: accounts and extents.
//!
//! An *account* gathers what one thread pins through one caller into one address space; it carries
//! running totals and never goes back. An *extent* is one contiguous range of long-term pins, and
//! ends when its last page is released. Each extent belongs to an account.
//!
//! A *owner* is either, as one number: what a cell of the folio table names.

/// Which account a pin belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct AccountKey {
    /// `mm_struct` address of the pinned address space, if the caller named one; 0 for the thread's own.
    pub mm: u64,
    /// Return address in the function that called the pin function.
    pub caller: u64,
    /// Process and thread, as `bpf_get_current_pid_tgid` packs them: tgid << 32 | tid.
    pub pid_tgid: u64,
    /// 1 for `FOLL_LONGTERM`, else 0.
    pub longterm: u32,
    /// When the thread was started, in units of 65,536 ns: another one may have had its id before. 0 for pins that no
    /// hook saw.
    pub started: u32,
}

impl AccountKey {
    /// The process.
    #[inline]
    pub const fn tgid(&self) -> u32 {
        (self.pid_tgid >> 32) as u32
    }

    /// What is no id and no address of it, as one number: `started` << 32 | `longterm`.
    #[inline]
    pub const fn kind(&self) -> u64 {
        (self.started as u64) << 32 | self.longterm as u64
    }

    /// The thread.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
    pub const fn tid(&self) -> u32 {
        self.pid_tgid as u32
    }
}

/// Running totals of one account. Counts are pages, as the kernel counts pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Account {
    /// Whose it is.
    pub key: AccountKey,
    /// Pages pinned since the account was opened.
    pub acquired: u64,
    /// Pages released since the account was opened.
    pub released: u64,
    /// Bytes kept in place: whole folios, each counted once for each owner.
    pub bytes_held: u64,
    /// Pin calls that succeeded.
    pub calls: u64,
    /// When the account last went from holding nothing to holding something (monotonic ns).
    pub held_since_ns: u64,
    /// When the account was opened (monotonic ns).
    pub opened_ns: u64,
    /// cgroup v2 id of the task that opened it.
    pub cgroup: u64,
    /// Id in the stack table of the first pin, or [`STACK_LATER`], or another negative number.
    pub stack: i64,
    /// Index of the extent that it opened last, plus one; 0 for none.
    pub last_extent: u64,
    /// Command name of the thread when the account was opened.
    pub comm: [u8; crate::limits::COMM_BYTES],
}

/// In place of a stack's id: it is being taken by another program.
pub const STACK_LATER: i64 = -4096;

/// A call that waits for its stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WantedStack {
    /// Address of the trampoline's frame; 0 for none.
    pub call: u64,
    /// The account that it opened; 0 for none.
    pub account: u64,
    /// Index of the extent that it opened, plus one; 0 for none.
    pub extent: u64,
}

/// Bit that tells an extent's owner number from an account's.
pub const EXTENT_BIT: u32 = 1 << 31;

/// A process that pins, until it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PinningProcess {
    /// Pages that its long-term pins hold.
    pub longterm_pages_held: u64,
    /// When its first account was opened (monotonic ns): one that is older is of another process, which had the same id.
    pub since_ns: u64,
}

/// One contiguous range of long-term pins. Counts are pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Extent {
    /// Pages still pinned, plus [`Extent::CALL_BIAS`] while a pin call adds to it.
    pub pages_held: u64,
    /// Bytes kept in place: whole folios.
    pub bytes_held: u64,
    /// User address of the first page.
    pub address: u64,
    /// User address after the last page.
    pub end: u64,
    /// Pages pinned in all.
    pub pages: u64,
    /// When the first pin succeeded (monotonic ns).
    pub opened_ns: u64,
    /// When the latest pin call added to it (monotonic ns).
    pub grown_ns: u64,
    /// `gup_flags` of the first call.
    pub flags: u32,
    /// The account that it belongs to.
    pub account: u32,
    /// Id in the stack table, or [`STACK_LATER`], or another negative number.
    pub stack: i64,
    /// The `mm_struct` that `address` is one of; 0 for a memfd's pages.
    pub mm: u64,
    /// The `address_space` of the file that the first page belongs to; 0 for anonymous memory.
    pub address_space: u64,
    /// Where in the file, in bytes.
    pub file_offset: u64,
    /// Which system call pinned last, as far as its number and arguments tell; 0 for none.
    pub call: u64,
}

impl Extent {
    /// Added to `pages_held` while a pin call is adding pages, so that no release closes it meanwhile.
    pub const CALL_BIAS: u64 = 1 << 40;
    /// In `flags`, beside those of the call: pages were released, and which ones are left is not known.
    pub const PARTIALLY_RELEASED: u32 = 1 << 31;
    /// ... a release was given to one of several owners of a folio by rule, of which this is one: how many of its pages are
    /// left is not known either.
    pub const AMBIGUOUS_OWNER: u32 = 1 << 30;
    /// Both.
    pub const INEXACT_MARKS: u32 = Self::PARTIALLY_RELEASED | Self::AMBIGUOUS_OWNER;
}

/// Holders that one folio can have at one time.
pub const OWNER_CELLS: usize = 15;

/// A folio with several owners. Every word changes by compare-and-swap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct MultiOwnerFolio {
    /// Pins in all cells together, or [`MultiOwnerFolio::DEAD`] once the entry is about to go.
    pub pins: u64,
    /// owner << 32 | pins, or 0.
    pub cells: [u64; OWNER_CELLS],
}

impl MultiOwnerFolio {
    /// In `pins`: nobody may add to this entry any more.
    pub const DEAD: u64 = u64::MAX;
}

/// Struct pages that one chunk of the folio table covers.
pub const CHUNK_PAGES: usize = 64;

/// The folio table's unit: a cell for each struct page of an aligned run of [`CHUNK_PAGES`].
///
/// A cell is owner << 32 | pins, 0 when nobody holds the folio, or [`MULTI_OWNER_MARK`]. Only the cell
/// of a folio's head page is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Chunk {
    /// The cells.
    pub cells: [u64; CHUNK_PAGES],
}

/// In a chunk's cell: the folio has an entry among the shared folios.
pub const MULTI_OWNER_MARK: u64 = (u32::MAX as u64) << 32;
