//! Folios with several holders.
//!
//! The entry counts the pins of all its cells in one word. Whoever adds raises that word first;
//! whoever takes the last pin swaps it from 0 to DEAD, clears the mark in the folio's cell, and only
//! then removes the entry: so no entry goes while somebody is adding to it.
//!
//! Which holder a release belongs to is not known. The rule: one of the releasing process before
//! others, a short-term one before a long-term one, a later cell before an earlier one.

use aya_ebpf::bindings::BPF_NOEXIST;
use pintrace_common::{
    counters::Loss,
    ledger::{SHARED_CELLS, SHARED_MARK, SharedFolio},
};

use crate::{atomic::Word, 
    count,
    folios::{Held, Taken, cell},
    holders, maps,
};

struct Entry(*mut SharedFolio);

impl Entry {
    #[inline(always)]
    fn find(head: u64) -> Option<Self> {
        maps::SHARED.get_ptr_mut(head).map(Self)
    }

    #[inline(always)]
    fn pins(&self) -> Word {
        // SAFETY: a map value that the running program keeps alive (RCU), accessed atomically only.
        unsafe { Word::at(&raw mut (*self.0).pins) }
    }

    #[inline(always)]
    fn cell(&self, index: usize) -> Word {
        // SAFETY: as above; callers stay below SHARED_CELLS.
        unsafe { Word::at((&raw mut (*self.0).cells).cast::<u64>().add(index)) }
    }

    /// Raises the common count. False if the entry is on its way out.
    #[inline(always)]
    fn enter(&self, pins: u32) -> bool {
        for _ in 0..4 {
            let now = self.pins().load();
            if now == SharedFolio::DEAD {
                return false;
            }
            let next = now + u64::from(pins);
            if self.pins().swap(now, next) {
                return true;
            }
        }
        false
    }
}

/// Makes the entry of a folio that has had one holder so far. False if it cannot be made now.
#[inline(always)]
pub fn make(head: u64, first: u64) -> bool {
    let mut entry = SharedFolio { pins: first & u64::from(u32::MAX), cells: [0; SHARED_CELLS] };
    entry.cells[0] = first;
    maps::SHARED.insert(head, &entry, u64::from(BPF_NOEXIST)).is_ok()
}

/// Takes back [`make`]: the folio's cell had changed in between, so nobody has seen the entry.
#[inline(always)]
pub fn unmake(head: u64) {
    let _ = maps::SHARED.remove(head);
}

/// Adds pins for a holder. `None`: look again.
#[inline(never)]
pub fn hold(head: u64, holder: u32, pins: u32) -> Option<Held> {
    let entry = Entry::find(head)?;
    if !entry.enter(pins) {
        return None;
    }
    for index in 0..SHARED_CELLS {
        let now = entry.cell(index).load();
        if (now >> 32) as u32 == holder && now as u32 != 0 {
            let next = now + u64::from(pins);
            if entry.cell(index).swap(now, next) {
                return Some(Held { holder, first: false });
            }
        }
    }
    for index in 0..SHARED_CELLS {
        let next = cell(holder, pins);
        if entry.cell(index).swap(0, next) {
            return Some(Held { holder, first: true });
        }
    }
    count::loss(Loss::HolderCellsFull, u64::from(pins));
    let other = entry.cell(0).fetch_add(u64::from(pins));
    Some(Held { holder: (other >> 32) as u32, first: false })
}

/// Takes up to `pins` pins from the holder that the rule chooses. `None`: look again.
#[inline(never)]
pub fn take(head: u64, folio_cell: Word, pins: u32, tgid: u32) -> Option<Taken> {
    let entry = Entry::find(head)?;
    let mut best = 0usize;
    let mut best_rank = 0u32;
    let mut holding = 0u32;
    for index in 0..SHARED_CELLS {
        let now = entry.cell(index).load();
        if now != 0 {
            holding += 1;
            let rank = 1 + holders::rank((now >> 32) as u32, tgid);
            if rank >= best_rank {
                best_rank = rank;
                best = index;
            }
        }
    }
    if holding == 0 {
        return None;
    }
    if best >= SHARED_CELLS {
        return None;
    }
    let now = entry.cell(best).load();
    let have = now as u32;
    if have == 0 {
        return None;
    }
    let part = if pins < have { pins } else { have };
    let last = part == have;
    let next = if last { 0 } else { now - u64::from(part) };
    if !entry.cell(best).swap(now, next) {
        return None;
    }
    let left = entry.pins().fetch_sub(u64::from(part)) - u64::from(part);
    if left == 0 && entry.pins().swap(0, SharedFolio::DEAD) {
        folio_cell.swap(SHARED_MARK, 0);
        let _ = maps::SHARED.remove(head);
    }
    Some(Taken { holder: (now >> 32) as u32, pins: part, last, ambiguous: holding > 1 })
}
