//! Every map, with its bound. What finds a map full is counted (pintrace_common::counters::Loss).
//!
//! The loader may lower or raise the bounds before the maps are created.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray, Queue, RingBuf, StackTrace},
};
use pintrace_common::{
    counters::{Loss, Total},
    ledger::{Account, AccountKey, Chunk, Extent, MultiOwnerFolio, PinningProcess, WantedStack},
    limits,
};

use crate::compat::loops::ON_DEMAND;

/// 0 until everything is attached: the hooks return at once.
#[map]
pub static GATE: Array<u64> = Array::with_max_entries(1, 0);

/// Records to user space.
#[map]
pub static RING: RingBuf = RingBuf::with_byte_size(limits::RING_BYTES, 0);

/// Page totals, by [`Total`].
#[map]
pub static TOTALS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Total::COUNT as u32, 0);

/// Reasons for loss, by [`Loss`].
#[map]
pub static LOSSES: PerCpuArray<u64> = PerCpuArray::with_max_entries(Loss::COUNT as u32, 0);

/// The folio table: struct page address / (64 * sizeof(struct page)) to 64 cells. On demand, never
/// taken back: at worst 8 bytes for each page frame that was ever pinned, and a little.
#[map]
pub static CHUNKS: HashMap<u64, Chunk> = HashMap::with_max_entries(limits::FOLIO_CHUNKS, ON_DEMAND);

/// Folios with several owners, by the address of their head page.
#[map]
pub static MULTI_OWNER_FOLIOS: HashMap<u64, MultiOwnerFolio> =
    HashMap::with_max_entries(limits::MULTI_OWNER_FOLIOS, ON_DEMAND);

/// Account ids by key. User space removes the entries of threads that have ended.
#[map]
pub static ACCOUNT_IDS: HashMap<AccountKey, u32> = HashMap::with_max_entries(limits::ACCOUNTS, ON_DEMAND);

/// Accounts by id. Id 0 is the one that takes what finds no other.
#[map]
pub static ACCOUNTS: Array<Account> = Array::with_max_entries(limits::ACCOUNTS, 0);

/// Extents by index.
#[map]
pub static EXTENTS: Array<Extent> = Array::with_max_entries(limits::EXTENTS, 0);

/// Ids that were used before and are free again.
#[map]
pub static FREE_ACCOUNTS: Queue<u32> = Queue::with_max_entries(limits::ACCOUNTS, 0);

/// Indices that were used before and are free again.
#[map]
pub static FREE_EXTENTS: Queue<u32> = Queue::with_max_entries(limits::EXTENTS, 0);

/// How many ids were ever given out: accounts at 0 (id 0 is taken), extents at 1.
#[map]
pub static NEXT_IDS: Array<u64> = Array::with_max_entries(2, 0);

/// Tasks inside a pin call that may migrate pages first, by tgid << 32 | tid.
#[map]
pub static LONGTERM_CALLS: HashMap<u64, u64> = HashMap::with_max_entries(limits::LONGTERM_CALLS, ON_DEMAND);

/// How many such calls are under way: spares the releases a look-up.
#[map]
pub static LONGTERM_CALLS_ACTIVE: Array<u64> = Array::with_max_entries(1, 0);

/// Marks that first copies of programs leave for the second ([`crate::backup`]).
#[map]
pub static BACKUP_TOKENS: Array<u64> = Array::with_max_entries(limits::BACKUP_TOKENS, 0);

/// Calls whose stack is to be taken ([`crate::stacks`]).
#[map]
pub static WANTED_STACKS: Array<WantedStack> = Array::with_max_entries(limits::WANTED_STACKS, 0);

/// The account that a thread used last, by the low bits of its id.
#[map]
pub static RECENT: Array<u32> = Array::with_max_entries(limits::RECENT, 0);

/// What a kprobe saw, kept for its kretprobe, by tgid << 32 | tid.
#[map]
pub static PROBED: HashMap<u64, crate::ledger::pin_call::PinCall> =
    HashMap::with_max_entries(limits::LONGTERM_CALLS, ON_DEMAND);

/// Kernel stacks of long-term pins, and of each account's first pin.
#[map]
pub static STACKS: StackTrace = StackTrace::with_max_entries(limits::STACKS, 0);

/// Processes that have an account, by their ids. The others may end unseen.
#[map]
pub static PROCESSES: HashMap<u32, PinningProcess> = HashMap::with_max_entries(limits::ACCOUNTS, ON_DEMAND);

#[map]
static ZERO: Array<u64> = Array::with_max_entries(1, 0);

/// Zeros that the verifier does not know to be any.
///
/// Up to 6.6 it follows a bpf_loop callback once, with the stack as it stands at the call: what it
/// knows to be zero there it would take for zero on every turn, and drop the code that is not. Each is
/// read by itself, because it would take copies of one for equal for good, and follow every combination.
#[derive(Clone, Copy)]
pub struct Zeros(*const u64);

impl Zeros {
    /// Always there: the map has one entry.
    #[inline(always)]
    pub fn find() -> Option<Self> {
        ZERO.get_ptr(0).map(Self)
    }

    /// Another one.
    #[inline(always)]
    pub fn next(self) -> u64 {
        // SAFETY: a live map value that nobody writes.
        unsafe { self.0.read_volatile() }
    }
}
