//! What the kernel-side tables hold and user space reads: accounts and extents.
//!
//! An *account* gathers what one thread pins through one caller into one address space; it carries
//! running totals and never goes back. An *extent* is one contiguous range of long-term pins, and
//! ends when its last page is released. Each extent belongs to an account.

/// Which account a pin belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct AccountKey {
    /// `mm_struct` address of the pinned address space.
    pub mm: u64,
    /// Return address in the function that called the pin function.
    pub caller: u64,
    /// Process and thread, as `bpf_get_current_pid_tgid` packs them: tgid << 32 | tid.
    pub pid_tgid: u64,
    /// 1 for `FOLL_LONGTERM`, else 0; u64 so that the key has no padding.
    pub longterm: u64,
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
    /// Bytes kept in place: whole folios, each counted once for each holder.
    pub bytes_held: u64,
    /// Pin calls that succeeded.
    pub calls: u64,
    /// When the account last went from holding nothing to holding something (monotonic ns).
    pub held_since_ns: u64,
    /// When the account was opened (monotonic ns).
    pub opened_ns: u64,
    /// cgroup v2 id of the task that opened it.
    pub cgroup: u64,
    /// Id in the stack table of the first pin, or negative.
    pub stack: i64,
    /// Command name of the thread when the account was opened.
    pub comm: [u8; crate::limits::COMM_BYTES],
}

/// One contiguous range of long-term pins. Counts are pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Extent {
    /// Pages still pinned, plus [`Extent::OPENING_BIAS`] while a pin call adds to it.
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
    /// Id in the stack table, or negative.
    pub stack: i64,
}

impl Extent {
    /// Added to `pages_held` while a pin call is adding pages, so that no release closes it meanwhile.
    pub const OPENING_BIAS: u64 = 1 << 40;
}
