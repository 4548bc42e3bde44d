//! The folio table: which holder has how many pins on a folio.
//!
//! A folio has one cell: holder << 32 | pins. Only when a second holder comes does it get an entry
//! of its own ([`crate::shared`]), and its cell is marked. Every change is a compare-and-swap,
//! because releases come from interrupts and other CPUs in the middle of anything.

use aya_ebpf::bindings::BPF_NOEXIST;
use pintrace_common::{
    counters::Loss,
    ledger::{CHUNK_PAGES, Chunk, SHARED_MARK},
};

use crate::{atomic::Word, count, facts, maps, page::Folio, shared};

/// Attempts at one compare-and-swap; each failure means that somebody else succeeded.
const ATTEMPTS: u32 = 8;

/// Where the cells are. The shipped layout is [`Chunks`]; the bench compares others.
pub trait CellTable {
    /// The cell of a folio that may be held.
    fn find(head: u64) -> Option<Word>;
    /// The cell of a folio, made if there is none yet.
    fn find_or_make(head: u64) -> Option<Word>;
    /// The folio's last pin is gone.
    fn emptied(_head: u64) {}
}

/// Cells in chunks, each for the struct pages of an aligned run, made on demand.
pub struct Chunks;

/// A value for new chunks; they are too large for the stack.
static EMPTY: Chunk = Chunk { cells: [0; CHUNK_PAGES] };

impl CellTable for Chunks {
    #[inline(always)]
    fn find(head: u64) -> Option<Word> {
        let unit = head >> (facts::page_struct_shift() & 31);
        let chunk = maps::CHUNKS.get_ptr_mut(unit / CHUNK_PAGES as u64)?;
        let index = unit as usize & (CHUNK_PAGES - 1);
        // SAFETY: a live map value (entries are never removed), the index is masked to its length,
        // and the cells are only ever accessed atomically.
        Some(unsafe { Word::at((&raw mut (*chunk).cells).cast::<u64>().add(index)) })
    }

    #[inline(always)]
    fn find_or_make(head: u64) -> Option<Word> {
        if let Some(cell) = Self::find(head) {
            return Some(cell);
        }
        let unit = head >> (facts::page_struct_shift() & 31);
        // Another CPU may have made it first: the second look-up tells.
        let _ = maps::CHUNKS.insert(unit / CHUNK_PAGES as u64, &EMPTY, u64::from(BPF_NOEXIST));
        Self::find(head)
    }
}

/// What became of pins that were added.
#[derive(Clone, Copy)]
pub struct Held {
    /// Who has them now: the holder that asked, or another one if the folio has too many. 0: nobody,
    /// the table is full.
    pub holder: u32,
    /// The holder had none on this folio before.
    pub first: bool,
}

/// What came of pins that were taken away.
#[derive(Clone, Copy)]
pub struct Taken {
    /// Who had them; 0 if nobody did.
    pub holder: u32,
    /// How many were taken, at most as many as asked.
    pub pins: u32,
    /// The holder has none left on this folio.
    pub last: bool,
    /// Others hold the folio too: this holder was chosen by rule.
    pub ambiguous: bool,
}

impl Taken {
    /// Nobody had any.
    pub const NONE: Self = Self { holder: 0, pins: 0, last: false, ambiguous: false };
}

/// Packs a cell.
#[inline(always)]
pub const fn cell(holder: u32, pins: u32) -> u64 {
    (holder as u64) << 32 | pins as u64
}

/// Adds pins to a folio for a holder.
#[inline(always)]
pub fn hold<T: CellTable>(folio: &Folio, holder: u32, pins: u32) -> Held {
    let Some(cell_of) = T::find_or_make(folio.head) else {
        count::loss(Loss::FolioTableFull, u64::from(pins));
        return Held { holder: 0, first: false };
    };
    for _ in 0..ATTEMPTS {
        let now = cell_of.load();
        if now == SHARED_MARK {
            if let Some(held) = shared::hold(folio.head, holder, pins) {
                return held;
            }
            continue;
        }
        let owner = (now >> 32) as u32;
        if now == 0 || owner == holder {
            let next = if now == 0 { cell(holder, pins) } else { now + u64::from(pins) };
            if cell_of.swap(now, next) {
                return Held { holder, first: now == 0 };
            }
            continue;
        }
        if !shared::make(folio.head, now) {
            // Somebody else is making it, or there is no room.
            continue;
        }
        if !cell_of.swap(now, SHARED_MARK) {
            shared::unmake(folio.head);
        }
    }
    // No room for an entry of its own, or constant change: leave the pins with whoever has the folio.
    let now = cell_of.load();
    if now != 0 && now != SHARED_MARK {
        let next = now + u64::from(pins);
        if cell_of.swap(now, next) {
            count::loss(Loss::HolderCellsFull, u64::from(pins));
            return Held { holder: (now >> 32) as u32, first: false };
        }
    }
    count::loss(Loss::CellContended, u64::from(pins));
    Held { holder: 0, first: false }
}

/// Takes up to `pins` pins off a folio, from one holder.
#[inline(always)]
pub fn take<T: CellTable>(head: u64, pins: u32, tgid: u32) -> Taken {
    let Some(cell_of) = T::find(head) else {
        return Taken::NONE;
    };
    for _ in 0..ATTEMPTS {
        let now = cell_of.load();
        if now == 0 {
            return Taken::NONE;
        }
        if now == SHARED_MARK {
            if let Some(taken) = shared::take(head, cell_of, pins, tgid) {
                return taken;
            }
            continue;
        }
        let have = now as u32;
        let part = if pins < have { pins } else { have };
        let last = part == have;
        let next = if last { 0 } else { now - u64::from(part) };
        if cell_of.swap(now, next) {
            if last {
                T::emptied(head);
            }
            return Taken { holder: (now >> 32) as u32, pins: part, last, ambiguous: false };
        }
    }
    count::loss(Loss::CellContended, u64::from(pins));
    Taken { holder: 0, pins, last: false, ambiguous: false }
}
