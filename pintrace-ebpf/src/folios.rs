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

use crate::{
    atomic::Word,
    count, doubt, facts, holders,
    locks::{self, What},
    loops, maps, shared,
    taken::Taken,
};

/// Where the cells are. The shipped layout is [`Chunks`]; the bench compares others.
pub trait CellTable: Copy + 'static {
    /// The cell of a folio that may be held.
    fn find(head: u64) -> Option<Word>;
    /// The cell of a folio, made if there is none yet.
    fn find_or_make(head: u64) -> Option<Word>;
    /// The folio's last pin is gone.
    fn emptied(_head: u64) {}
    /// Adds pins to a folio for a holder. Gives who has them now, << 32, and [`shared::FIRST`]. That is the
    /// holder that asked, or another one if the folio has too many, or 0: nobody, the table is full.
    fn hold(head: u64, holder: u32, pins: u32) -> u64 {
        hold_in::<Self>(head, holder, pins)
    }
    /// Takes pins off a folio, from one holder after another; gives how many nobody held. `bytes` is
    /// what the folio keeps in place, `tgid` the process that releases.
    fn take(head: u64, pins: u32, tgid: u32, bytes: u64) -> Taken {
        take_from::<Self>(head, pins, tgid, bytes)
    }
}

/// Cells in chunks, each for the struct pages of an aligned run, made on demand.
#[derive(Clone, Copy)]
pub struct Chunks;

/// A value for new chunks; they are too large for the stack.
static EMPTY: Chunk = Chunk {
    cells: [0; CHUNK_PAGES],
};

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
        let empty: &Chunk = &EMPTY;
        let _ = maps::CHUNKS.insert(unit / CHUNK_PAGES as u64, empty, u64::from(BPF_NOEXIST));
        Self::find(head)
    }

    #[inline(always)]
    fn hold(head: u64, holder: u32, pins: u32) -> u64 {
        pintrace_hold(head, holder, pins)
    }

    #[inline(always)]
    fn take(head: u64, pins: u32, tgid: u32, bytes: u64) -> Taken {
        Taken(pintrace_take(head, pins, tgid, bytes))
    }
}

/// [`CellTable::hold`] as a global function: the verifier follows it once, and not at every call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_hold(head: u64, holder: u32, pins: u32) -> u64 {
    let Some(held) = locks::lock(What::Folio(head)) else {
        count::loss(Loss::CellContended, u64::from(pins));
        return 0;
    };
    let holder = hold_in::<Chunks>(head, holder, pins);
    held.unlock();
    holder
}

/// [`CellTable::take`], likewise.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_take(head: u64, pins: u32, tgid: u32, bytes: u64) -> u64 {
    let Some(held) = locks::lock(What::Folio(head)) else {
        count::loss(Loss::CellContended, u64::from(pins));
        return 0;
    };
    let taken = take_from::<Chunks>(head, pins, tgid, bytes);
    held.unlock();
    taken.0
}

/// Packs a cell.
#[inline(always)]
pub const fn cell(holder: u32, pins: u32) -> u64 {
    (holder as u64) << 32 | pins as u64
}

#[inline(always)]
fn hold_in<T: CellTable>(head: u64, holder: u32, pins: u32) -> u64 {
    let Some(word) = T::find_or_make(head) else {
        count::loss(Loss::FolioTableFull, u64::from(pins));
        return 0;
    };
    // Nearly always the folio is free, or the holder's own.
    let now = word.load();
    if now == 0 && word.swap(0, cell(holder, pins)) {
        return u64::from(holder) << 32 | shared::FIRST;
    }
    if (now >> 32) as u32 == holder && word.swap(now, now + u64::from(pins)) {
        return u64::from(holder) << 32;
    }
    let Some(zeros) = maps::Zeros::find() else {
        return 0;
    };
    let mut adding = Adding {
        head,
        holder: u64::from(holder),
        pins: u64::from(pins),
        done: zeros.next(),
        got: zeros.next(),
        first: zeros.next(),
    };
    loops::repeat::<{ loops::ATTEMPTS }, _>(hold_step::<T>, &mut adding);
    if adding.done == 0 {
        adding.give_up::<T>();
    }
    adding.got << 32 | adding.first
}

/// Pins on their way to a cell that is shared or under change. The loops over this state are ones
/// that the verifier follows once.
struct Adding {
    /// The folio.
    head: u64,
    /// Who adds.
    holder: u64,
    /// How many.
    pins: u64,
    /// 1 once they are in.
    done: u64,
    /// Who has them.
    got: u64,
    /// 1 if that holder had none before.
    first: u64,
}

impl Adding {
    /// They are in.
    #[inline(always)]
    fn settle(&mut self, holder: u32, first: bool) {
        self.got = u64::from(holder);
        self.first = u64::from(first);
        self.done = 1;
    }

    /// No room for an entry of its own, or constant change: leave the pins with whoever has the folio.
    #[inline(always)]
    fn give_up<T: CellTable>(&mut self) {
        if let Some(word) = T::find(self.head) {
            let now = word.load();
            if now != 0 && now != SHARED_MARK && word.swap(now, now + self.pins) {
                count::loss(Loss::HolderCellsFull, self.pins);
                self.got = now >> 32;
                return;
            }
        }
        count::loss(Loss::CellContended, self.pins);
    }
}

extern "C" fn hold_step<T: CellTable>(_turn: u32, adding: *mut Adding) -> i64 {
    // SAFETY: the loop hands back the state.
    let adding = unsafe { &mut *adding };
    let Some(word) = T::find(adding.head) else {
        return 0;
    };
    let (holder, pins) = (adding.holder as u32, adding.pins as u32);
    let now = word.load();
    if now == SHARED_MARK {
        let held = shared::pintrace_shared_hold(adding.head, holder, pins);
        if held != 0 {
            adding.settle((held >> 32) as u32, held & shared::FIRST != 0);
        }
    } else if now == 0 || (now >> 32) as u32 == holder {
        let next = if now == 0 {
            cell(holder, pins)
        } else {
            now + u64::from(pins)
        };
        if word.swap(now, next) {
            adding.settle(holder, now == 0);
        }
    } else if shared::pintrace_shared_make(adding.head, now) != 0 && !word.swap(now, SHARED_MARK) {
        // Made for a second holder, too late. If it cannot be made, somebody else is making it or
        // there is no room.
        shared::remove(adding.head);
    }
    i64::from(adding.done != 0)
}

/// Pins on their way out of a folio.
struct Taking {
    /// The folio.
    head: u64,
    /// Bytes that it keeps in place.
    bytes: u64,
    /// The process that releases.
    tgid: u64,
    /// How many are left to take.
    left: u64,
}

impl Taking {
    /// One holder had `pins` of them, and has none left on this folio if `last`.
    #[inline(always)]
    fn settle(&mut self, holder: u32, pins: u32, last: bool) {
        self.left -= u64::from(pins);
        let bytes = if last { self.bytes } else { 0 };
        holders::pintrace_debit(holder, u64::from(pins), bytes);
    }
}

#[inline(always)]
fn take_from<T: CellTable>(head: u64, pins: u32, tgid: u32, bytes: u64) -> Taken {
    let Some(word) = T::find(head) else {
        return Taken::nobodys(u64::from(pins));
    };
    let now = word.load();
    if now == 0 {
        return Taken::nobodys(u64::from(pins));
    }
    // Nearly always there is one holder, who has enough, and nobody else at work on this folio.
    if now != SHARED_MARK && now as u32 >= pins {
        let last = now as u32 == pins;
        if word.swap(now, if last { 0 } else { now - u64::from(pins) }) {
            if last {
                T::emptied(head);
            }
            return Taken::owed_by((now >> 32) as u32, last);
        }
    }
    // `left` without bounds that the verifier would see change on every turn.
    let Some(zeros) = maps::Zeros::find() else {
        return Taken::nobodys(u64::from(pins));
    };
    let left = zeros.next() + u64::from(pins);
    let mut taking = Taking {
        head,
        bytes,
        tgid: u64::from(tgid),
        left,
    };
    loops::repeat::<{ loops::ATTEMPTS }, _>(take_step::<T>, &mut taking);
    Taken::nobodys(taking.left)
}

/// One attempt on a cell with one holder; false if somebody else changed it.
#[inline(always)]
fn take_once<T: CellTable>(taking: &mut Taking, word: Word, now: u64) -> bool {
    let (have, want) = (now as u32, taking.left as u32);
    let part = if want < have { want } else { have };
    let last = part == have;
    if !word.swap(now, if last { 0 } else { now - u64::from(part) }) {
        return false;
    }
    if last {
        T::emptied(taking.head);
    }
    taking.settle((now >> 32) as u32, part, last);
    true
}

extern "C" fn take_step<T: CellTable>(_turn: u32, taking: *mut Taking) -> i64 {
    // SAFETY: the loop hands back the state.
    let taking = unsafe { &mut *taking };
    let Some(word) = T::find(taking.head) else {
        return 1;
    };
    let now = word.load();
    if now == 0 {
        return 1;
    }
    if now == SHARED_MARK {
        let taken = shared::pintrace_shared_take(taking.head, taking.left as u32, taking.tgid as u32);
        if taken & shared::EMPTIED != 0 {
            // In this order: while the entry stands and is dead, nobody can make another.
            word.swap(SHARED_MARK, 0);
            shared::remove(taking.head);
        }
        if taken != 0 {
            let pins = taken as u32 & shared::PINS;
            taking.settle((taken >> 32) as u32, pins, taken & shared::LAST != 0);
            if taken & shared::AMBIGUOUS != 0 {
                doubt::pintrace_doubt(taking.head);
            }
        }
    } else {
        take_once::<T>(taking, word, now);
    }
    i64::from(taking.left == 0)
}
