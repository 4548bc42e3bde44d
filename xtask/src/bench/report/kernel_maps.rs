//! The kernel memory of the BPF maps, by the limits and the sizes of `pintrace-common`.

use std::mem::size_of;

use pintrace_common::ledger::{Account, CHUNK_PAGES, Chunk, ChunkSlot, Extent, OwnerBlock, WantedStack};
use pintrace_common::limits;

/// Bytes of a bucket of a hash map (`struct bucket`, kernel/bpf/hashtab.c).
const BUCKET: u64 = 16;
/// Bytes of an element of a hash map before its key (`struct htab_elem`), and the list node that the allocator adds.
const ELEMENT: usize = 48 + 8;
/// Most bytes that a hash map keeps ready for each CPU: the high watermark of `bpf_mem_alloc` (kernel/bpf/memalloc.c).
const CACHE_OF_CPU: u64 = 96 * 256;

/// The entries of each hash map but the map of chunks.
const HASHES: [u32; 12] = [
    limits::MULTI_OWNER_FOLIOS,
    limits::ACCOUNTS,
    limits::LONGTERM_CALLS,
    limits::LONGTERM_CALLS,
    limits::ACCOUNTS,
    limits::TASK_CONTEXTS,
    limits::RANGE_FILTERS,
    limits::SUPPRESSED_CHANGES,
    limits::FLUSH_WINDOWS,
    limits::OPEN_WINDOWS,
    limits::COWS,
    limits::PINNED_MMS,
];

/// Returns the bytes that the maps take at the start, for a number of extents and a memory in bytes.
pub(super) fn at_start(extents: u64, memory: u64) -> u64 {
    let buckets = HASHES.map(u64::from).into_iter().chain([most_chunks(memory)]);
    let buckets: u64 = buckets.map(|entries| entries.next_power_of_two() * BUCKET).sum();
    of_extents(extents) + other_arrays() + buckets
}

/// Returns the bytes of the maps whose size is the number of extents: the extents, and the queue of free indices.
pub(super) fn of_extents(extents: u64) -> u64 {
    extents * (size_of::<Extent>() as u64 + 4)
}

/// Returns the bytes of the buckets of the map of chunks.
pub(super) fn chunk_buckets(memory: u64) -> u64 {
    most_chunks(memory).next_power_of_two() * BUCKET
}

/// Returns the bytes of one chunk of the folio table. The allocator rounds them up to a power of two.
pub(super) fn chunk() -> u64 {
    slab(ELEMENT + 8 + size_of::<Chunk>())
}

/// Returns the bytes of one block of owners.
pub(super) fn owner_block() -> u64 {
    slab(ELEMENT + 8 + size_of::<OwnerBlock>())
}

/// Returns the most bytes that all hash maps keep ready for a number of CPUs.
pub(super) fn caches(cpus: u64) -> u64 {
    (HASHES.len() as u64 + 1) * CACHE_OF_CPU * cpus
}

/// Returns the number of chunks that struct pages of a memory in bytes have.
pub(super) const fn chunks(memory: u64) -> u64 {
    memory / 4096 / CHUNK_PAGES as u64
}

/// The loader makes room for twice the machine's memory.
fn most_chunks(memory: u64) -> u64 {
    let most = u64::from(limits::MOST_FOLIO_CHUNKS);
    (2 * chunks(memory)).clamp(u64::from(limits::FOLIO_CHUNKS), most)
}

/// Returns the bytes of the arrays, queues, stack tables and of the ring buffer, whose sizes are fixed.
fn other_arrays() -> u64 {
    let array = |entries: u32, value: usize| u64::from(entries) * value.next_multiple_of(8) as u64;
    let stack = 40 + 8 * limits::STACK_FRAMES as usize;
    array(limits::CHUNK_SLOTS, size_of::<ChunkSlot>())
        + array(limits::ACCOUNTS, size_of::<Account>() + 4 + 8)
        + array(limits::TOKEN_BUCKETS, 8 * limits::TOKENS_PER_BUCKET)
        + array(limits::WANTED_STACKS, size_of::<WantedStack>())
        + array(limits::RECENT, 4)
        + array(limits::STACKS + limits::MORE_STACKS, stack)
        + u64::from(limits::RING_BYTES)
}

/// Returns the size class of the kernel's allocator: a power of two, or 192.
fn slab(bytes: usize) -> u64 {
    match bytes {
        129..=192 => 192,
        _ => (bytes as u64).next_power_of_two(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_extents_of_a_session_take_ten_mib() {
        assert_eq!(of_extents(u64::from(limits::EXTENTS)), 65_536 * 148);
        assert_eq!((chunk(), owner_block()), (1024, 192));
    }

    #[test]
    fn the_buckets_follow_the_memory_up_to_the_limit() {
        assert_eq!(chunk_buckets(GIB), 65_536 * 16);
        assert_eq!(chunk_buckets(64 * GIB), (2 * chunks(64 * GIB)) * 16);
        assert_eq!(
            chunk_buckets(8192 * GIB),
            u64::from(limits::MOST_FOLIO_CHUNKS) * 16
        );
        assert!(at_start(1000, 8192 * GIB) > at_start(1000, GIB));
    }
}
