//! Where the folio table keeps its cells: in chunks, each for an aligned run of struct pages, made on demand.
//!
//! Most chunks are in an array, where the low bits of a chunk's number lead to its slot. The first chunk that needs a
//! slot keeps it; all others are in a hash table. So the place of a chunk never changes.

use aya_ebpf::bindings::BPF_NOEXIST;
use pintrace_common::ledger::{CHUNK_PAGES, Chunk, ChunkSlot};

use crate::map_ref::{Lookup, MapRef, word};
use crate::{atomic::Word, compat::exchange, facts::FACTS, ledger::state, maps};

/// The value of a new chunk. A chunk is too large for the stack.
static EMPTY: Chunk = Chunk {
    cells: [0; CHUNK_PAGES],
};

/// Returns the cell of a folio, or `None` if the folio has none.
#[inline(always)]
pub fn find(head: u64) -> Option<Word> {
    let unit = unit_of(head);
    if exchange::WITHOUT_LOCK {
        if let Some(slot) = slot_of(unit)
            && word!(slot.unit).load() == unit / CHUNK_PAGES as u64
        {
            return Some(cell_of_slot(slot, unit));
        }
        if state::hashed_chunks().load() == 0 {
            return None;
        }
    }
    find_hashed(unit)
}

/// Makes the cell of a folio that has none, and returns it. `None` if the hash table is full.
#[inline(always)]
pub fn make(head: u64) -> Option<Word> {
    let unit = unit_of(head);
    let number = unit / CHUNK_PAGES as u64;
    if exchange::WITHOUT_LOCK {
        if let Some(slot) = slot_of(unit)
            && (word!(slot.unit).swap(0, number) || word!(slot.unit).load() == number)
        {
            return Some(cell_of_slot(slot, unit));
        }
        state::hashed_chunks().store(1);
    }
    // Another CPU may have made the chunk first. The look-up finds either chunk.
    let empty: &Chunk = &EMPTY;
    let _ = maps::CHUNKS.insert(number, empty, u64::from(BPF_NOEXIST));
    find_hashed(unit)
}

/// Returns the number of a struct page, counted from address 0.
#[inline(always)]
fn unit_of(head: u64) -> u64 {
    head >> (FACTS.page_struct_shift() & 31)
}

#[inline(always)]
fn slot_of(unit: u64) -> Option<MapRef<ChunkSlot>> {
    maps::CHUNK_SLOTS.at((unit / CHUNK_PAGES as u64) as u32 & FACTS.chunk_slot_mask())
}

#[inline(always)]
fn cell_of_slot(slot: MapRef<ChunkSlot>, unit: u64) -> Word {
    // SAFETY: as in `cell_of`, of a chunk inside a live map value.
    unsafe { cell_of(&raw mut (*slot.as_ptr()).chunk, unit) }
}

#[inline(always)]
fn find_hashed(unit: u64) -> Option<Word> {
    let chunk = maps::CHUNKS.at(unit / CHUNK_PAGES as u64)?;
    // SAFETY: a live map value; entries are never removed.
    Some(unsafe { cell_of(chunk.as_ptr(), unit) })
}

/// # Safety
///
/// `chunk` is a live map value.
#[inline(always)]
unsafe fn cell_of(chunk: *mut Chunk, unit: u64) -> Word {
    let index = unit as usize & (CHUNK_PAGES - 1);
    // SAFETY: the index is masked to the length, and the cells are only ever accessed atomically.
    unsafe { Word::at((&raw mut (*chunk).cells).cast::<u64>().add(index)) }
}
