//! All maps of the ledger, with their bounds. A full map is counted (pintrace_common::counters::Loss).
//!
//! The loader may lower or raise the bounds before the maps are created.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, Queue, RingBuf, StackTrace},
};
use pintrace_common::{
    counters::Total,
    ledger::{Account, AccountKey, Chunk, ChunkSlot, Extent, OwnerBlock, PinningProcess, WantedStack},
    limits,
    pin_calls::{FailureKey, LongtermCall, PinCalls},
    registrations::{self, FailedRegistration},
};

use crate::compat::loops::HASH_FLAGS;

/// Records to user space.
#[map]
pub static RING: RingBuf = RingBuf::with_byte_size(limits::RING_BYTES, 0);

/// Page totals, by [`Total`].
#[map]
pub static TOTALS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Total::COUNT as u32, 0);

/// The folio table: struct page address / (64 * sizeof(struct page)) to 64 cells. The map allocates on demand and never
/// frees: at worst 8 bytes for each page frame that was ever pinned, and a little.
#[map]
pub static CHUNKS: HashMap<u64, Chunk> = HashMap::with_max_entries(limits::FOLIO_CHUNKS, HASH_FLAGS);

/// The chunks that need no hashing, by the low bits of the key of [`CHUNKS`]. A chunk whose slot has another chunk is in
/// [`CHUNKS`].
#[map]
pub static CHUNK_SLOTS: Array<ChunkSlot> = Array::with_max_entries(limits::CHUNK_SLOTS, 0);

/// Owners of the folios with several owners, by [`OwnerBlock::key`].
#[map]
pub static MULTI_OWNER_FOLIOS: HashMap<u64, OwnerBlock> =
    HashMap::with_max_entries(limits::MULTI_OWNER_FOLIOS, HASH_FLAGS);

/// Account ids by key. User space removes the entries of threads that have ended.
#[map]
pub static ACCOUNT_IDS: HashMap<AccountKey, u32> = HashMap::with_max_entries(limits::ACCOUNTS, HASH_FLAGS);

/// Accounts by id. Account 0 collects the pins for which no account is free.
#[map]
pub static ACCOUNTS: Array<Account> = Array::with_max_entries(limits::ACCOUNTS, 0);

/// Extents by index.
#[map]
pub static EXTENTS: Array<Extent> = Array::with_max_entries(limits::EXTENTS, 0);

/// One byte for each extent, which is not 0 if the extent has changed since user space last looked. User space maps the
/// array.
#[map]
pub static CHANGED_EXTENTS: Array<[u8; 8]> = Array::with_max_entries(limits::EXTENTS / 8, BPF_F_MMAPABLE);

/// Account ids that were used before and are free again.
#[map]
pub static FREE_ACCOUNTS: Queue<u32> = Queue::with_max_entries(limits::ACCOUNTS, 0);

/// Extent indices that were used before and are free again.
#[map]
pub static FREE_EXTENTS: Queue<u32> = Queue::with_max_entries(limits::EXTENTS, 0);

/// Number of ids ever allocated: accounts at 0 (id 0 is reserved), extents at 1.
#[map]
pub static NEXT_IDS: Array<u64> = Array::with_max_entries(2, 0);

/// Long-term pin calls in flight, by tgid << 32 | tid.
#[map]
pub static LONGTERM_CALLS: HashMap<u64, LongtermCall> =
    HashMap::with_max_entries(limits::LONGTERM_CALLS, HASH_FLAGS);

/// What the long-term pin calls of each account took, by the id of the account.
#[map]
pub static PIN_CALLS: Array<PinCalls> = Array::with_max_entries(limits::ACCOUNTS, 0);

/// Number of failed pin calls by account and error number. User space removes the entries of freed accounts.
#[map]
pub static PIN_FAILURES: HashMap<FailureKey, u64> =
    HashMap::with_max_entries(limits::PIN_FAILURES, HASH_FLAGS);

/// Registrations that failed. User space removes the entries of processes that have ended.
#[map]
pub static FAILED_REGISTRATIONS: HashMap<registrations::FailureKey, FailedRegistration> =
    HashMap::with_max_entries(limits::FAILED_REGISTRATIONS, HASH_FLAGS);

/// Bytes that the registrations in flight ask for, by tgid << 32 | tid. A return that the kernel skips leaves its entry, which
/// the next registration of the thread replaces, or any other if the map is full.
#[map]
pub static REGISTRATIONS_IN_FLIGHT: LruHashMap<u64, u64> =
    LruHashMap::with_max_entries(limits::REGISTRATIONS_IN_FLIGHT, 0);

/// Tokens that primary programs leave for their backups ([`crate::backup`]).
#[map]
pub static BACKUP_TOKENS: Array<[u64; limits::TOKENS_PER_BUCKET]> =
    Array::with_max_entries(limits::TOKEN_BUCKETS, 0);

/// Calls whose stack is to be taken ([`crate::stacks`]).
#[map]
pub static WANTED_STACKS: Array<WantedStack> = Array::with_max_entries(limits::WANTED_STACKS, 0);

/// The account that a thread used last, by the low bits of the thread's id.
#[map]
pub static RECENT: Array<u32> = Array::with_max_entries(limits::RECENT, 0);

/// Arguments that a kprobe keeps for its kretprobe, by tgid << 32 | tid.
#[map]
pub static PROBED: HashMap<u64, crate::ledger::pin_call::PinCall> =
    HashMap::with_max_entries(limits::LONGTERM_CALLS, HASH_FLAGS);

/// Kernel stacks of long-term pins, and of each account's first pin.
#[map]
pub static STACKS: StackTrace = StackTrace::with_max_entries(limits::STACKS, 0);

/// Stacks with the hash of a stack in [`STACKS`]. The kernel gives a stack one place, by its hash
/// (`__bpf_get_stackid`, kernel/bpf/stackmap.c), so that of 30 stacks two have the same place once in 40 runs.
#[map]
pub static MORE_STACKS: StackTrace = StackTrace::with_max_entries(limits::MORE_STACKS, 0);

/// Processes that have an account, by tgid. The exit of other processes is not reported.
#[map]
pub static PROCESSES: HashMap<u32, PinningProcess> = HashMap::with_max_entries(limits::ACCOUNTS, HASH_FLAGS);
