//! Sizes of the bounded tables. What overflows is counted under a name of [`crate::counters::Loss`].

/// Long-term extents open at one time.
pub const EXTENTS: u32 = 65_536;
/// Accounts alive at one time: one for each thread, address space, caller and kind of pin.
pub const ACCOUNTS: u32 = 16_384;
/// Chunks of the folio table, each for the struct pages of one 4 KiB of vmemmap. The loader takes as many as the
/// machine's memory has, twice over, so that memory can be added.
pub const FOLIO_CHUNKS: u32 = 1 << 16;
/// The most that it takes: 4 TiB of memory, twice over.
pub const MOST_FOLIO_CHUNKS: u32 = 1 << 25;
/// Folios that are large or have more than one owner.
pub const MULTI_OWNER_FOLIOS: u32 = 262_144;
/// The same where the table takes its memory at once, 128 bytes each.
pub const PREALLOCATED_MULTI_OWNER_FOLIOS: u32 = 16_384;
/// Pin calls with `FOLL_LONGTERM` under way at one time.
pub const LONGTERM_CALLS: u32 = 16_384;
/// Words for calls that are between the two copies of a program; a power of two.
pub const BACKUP_TOKENS: u32 = 131_072;
/// Places for calls that wait for their stack; a power of two.
pub const WANTED_STACKS: u32 = 4096;
/// Threads whose account is found without a look-up by key; a power of two.
pub const RECENT: u32 = 4096;
/// Address spaces and files that long-term extents are in.
pub const RANGE_FILTERS: u32 = 4096;
/// Tasks in the middle of a fault, a fork or a look at what is dirty.
pub const TASK_CONTEXTS: u32 = 4096;
/// Holders whose pages were copied, by kind of copy.
pub const COWS: u32 = 4096;
/// Small folios of which the latest reference that is no pin is known, where these are followed. The oldest give way.
pub const FOLL_GET_FOLIOS: u32 = 65_536;
/// Entries of a table that is not used.
pub const UNUSED: u32 = 64;
/// Processes that take such references.
pub const FOLL_GET_PROCESSES: u32 = 4096;
/// Pages of one call of which the references are followed; direct I/O has 256 in a bio (`BIO_MAX_VECS`).
pub const FOLL_GET_PAGES_PER_CALL: u32 = 256;
/// Processes with pending-flush windows, by cause.
pub const FLUSH_WINDOWS: u32 = 8192;
/// Pending-flush windows open at one time.
pub const OPEN_WINDOWS: u32 = 4096;
/// Kernel stacks kept.
pub const STACKS: u32 = 16_384;
/// Frames kept of each kernel stack.
pub const STACK_FRAMES: u32 = 32;
/// Bytes of the ring buffer.
pub const RING_BYTES: u32 = 4 << 20;
/// Bytes of a task's command name, `TASK_COMM_LEN` (include/linux/sched.h).
pub const COMM_BYTES: usize = 16;
