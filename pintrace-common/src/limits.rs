//! Sizes of the bounded tables. Each overflow is counted under a name of [`crate::counters::Loss`].

/// Maximum number of open extents on a machine with up to 16 GiB. The loader makes room for one extent for each 256 KiB
/// of memory, which is 0.06 % of the memory.
pub const EXTENTS: u32 = 65_536;
/// Maximum number of open extents on any machine.
pub const MOST_EXTENTS: u32 = 1 << 20;
/// Maximum number of accounts: one for each thread, mm, caller and kind of pin.
pub const ACCOUNTS: u32 = 16_384;
/// Chunks of the folio table, each for the struct pages of one 4 KiB of vmemmap. The loader makes room for twice the
/// machine's memory, so that memory can be added.
pub const FOLIO_CHUNKS: u32 = 1 << 16;
/// Maximum number of chunks: twice 4 TiB of memory.
pub const MOST_FOLIO_CHUNKS: u32 = 1 << 25;
/// Slots for chunks that are found without hashing; a power of two. They take 8 MiB, and cover 4 GiB of memory.
pub const CHUNK_SLOTS: u32 = 1 << 14;
/// Maximum number of blocks of owners: one for each folio with 2 to 13 owners, and more for a folio with more.
pub const MULTI_OWNER_FOLIOS: u32 = 262_144;
/// [`MULTI_OWNER_FOLIOS`] where the map allocates all memory at the start, 128 bytes for each block.
pub const PREALLOCATED_MULTI_OWNER_FOLIOS: u32 = 16_384;
/// Maximum number of pin calls with `FOLL_LONGTERM` in flight.
pub const LONGTERM_CALLS: u32 = 16_384;
/// Maximum number of counts of failed pin calls, by account and error number.
pub const PIN_FAILURES: u32 = 4096;
/// Maximum number of processes with failed registrations, by call and error number.
pub const FAILED_REGISTRATIONS: u32 = 1024;
/// Registrations in flight whose size is kept. New registrations replace the oldest.
pub const REGISTRATIONS_IN_FLIGHT: u32 = 1024;
/// Buckets of tokens for calls that are between primary program and backup; a power of two.
pub const TOKEN_BUCKETS: u32 = 32_768;
/// Tokens of one bucket.
pub const TOKENS_PER_BUCKET: usize = 4;
/// Slots for calls whose stack has yet to be taken; a power of two.
pub const WANTED_STACKS: u32 = 4096;
/// Threads whose account is found without a look-up by key; a power of two.
pub const RECENT: u32 = 4096;
/// Maximum number of mms and files with extents.
pub const RANGE_FILTERS: u32 = 4096;
/// Maximum number of tasks inside a fault, a fork, clear_refs or madvise.
pub const TASK_CONTEXTS: u32 = 4096;
/// Maximum number of processes with suppressed records of mapping changes.
pub const SUPPRESSED_CHANGES: u32 = 1024;
/// Maximum number of owners whose pages were copied, by kind of copy.
pub const COWS: u32 = 4096;
/// Small folios whose latest FOLL_GET reference is kept. New references replace the oldest.
pub const FOLL_GET_FOLIOS: u32 = 65_536;
/// Entries of a table that is not used.
pub const UNUSED: u32 = 64;
/// Maximum number of mms with pins or FOLL_GET references.
pub const PINNED_MMS: u32 = 16_384;
/// Maximum number of pages of one call whose references are followed; direct I/O has 256 in a bio (`BIO_MAX_VECS`).
pub const FOLL_GET_PAGES_PER_CALL: u32 = 256;
/// Maximum number of processes with flush windows, by cause.
pub const FLUSH_WINDOWS: u32 = 8192;
/// Maximum number of open flush windows.
pub const OPEN_WINDOWS: u32 = 4096;
/// Maximum number of kernel stacks.
pub const STACKS: u32 = 16_384;
/// Maximum number of kernel stacks whose place among [`STACKS`] another stack has.
pub const MORE_STACKS: u32 = 1024;
/// Maximum number of frames of a kernel stack.
pub const STACK_FRAMES: u32 = 32;
/// Bytes of the ring buffer.
pub const RING_BYTES: u32 = 4 << 20;
/// Bytes of a task's command name, `TASK_COMM_LEN` (include/linux/sched.h).
pub const COMM_BYTES: usize = 16;
