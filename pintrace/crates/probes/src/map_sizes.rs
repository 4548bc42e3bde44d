//! The sizes of maps that depend on the memory of the machine.

use pintrace_common::ledger::CHUNK_PAGES;
use pintrace_common::limits;
use pintrace_kernel::facts::KernelFacts;

use super::options::LoadOptions;

/// Returns the number of pages of 4 KiB of the memory of this machine.
pub(super) fn pages_of_memory() -> u64 {
    let memory = rustix::system::sysinfo();
    memory.totalram.saturating_mul(u64::from(memory.mem_unit)) >> 12
}

/// Returns the number of extents for a number of pages of memory.
pub(super) fn extents_for(pages: u64) -> u32 {
    const PAGES_PER_EXTENT: u64 = 64;
    u32::try_from(pages / PAGES_PER_EXTENT)
        .unwrap_or(limits::MOST_EXTENTS)
        .clamp(limits::EXTENTS, limits::MOST_EXTENTS)
}

/// Returns the number of chunks of the folio table for the memory of this machine: twice as many as needed if chunks
/// are allocated on demand, else a little more than needed.
pub(super) fn folio_chunks(on_demand: bool) -> u32 {
    let chunks = pages_of_memory() / CHUNK_PAGES as u64;
    if !on_demand {
        let chunks = u32::try_from(chunks + chunks / 4 + 1024);
        return chunks.unwrap_or(limits::MOST_FOLIO_CHUNKS);
    }
    let chunks = (2 * chunks).next_power_of_two();
    let most = limits::MOST_FOLIO_CHUNKS;
    u32::try_from(chunks)
        .unwrap_or(most)
        .clamp(limits::FOLIO_CHUNKS, most)
}

/// Returns the number of slots for chunks of the folio table: as many as the option for the map of chunks says, and
/// [`limits::CHUNK_SLOTS`] at most.
pub(super) fn chunk_slots(kernel: &KernelFacts, options: &LoadOptions) -> u32 {
    if !kernel.bpf_loop {
        return 1;
    }
    let wanted = options.map_entries.iter().find(|(map, _)| *map == "CHUNKS");
    let slots = wanted.map_or(limits::CHUNK_SLOTS, |(_, entries)| *entries);
    1 << slots.clamp(1, limits::CHUNK_SLOTS).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_for_extents_grows_with_the_memory() {
        const GIB: u64 = 1 << 18;
        assert_eq!(extents_for(2 * GIB), limits::EXTENTS);
        assert_eq!(extents_for(16 * GIB), limits::EXTENTS);
        assert_eq!(extents_for(64 * GIB), 1 << 18);
        assert_eq!(extents_for(8192 * GIB), limits::MOST_EXTENTS);
    }
}
