//! Folios with several owners.
//!
//! [`MultiOwnerFolio::pins`] is the sum over the owner cells. An acquire adds to the sum before it changes an owner cell.
//! The release that brings the sum to 0 exchanges the 0 for DEAD. Then `take_step` (folio_table.rs) replaces
//! MULTI_OWNER_MARK in the folio table by 0, and deletes the entry. So no entry is deleted after an acquire has added to
//! its sum. The look-up before that addition is not protected: the hash map may reuse the element for another folio.
//!
//! The kind of the code that releases limits the owners of a release: a bio completion does not release what io_uring
//! registered. Of several owners that are left, a rule chooses: an owner of the releasing thread, then of its process,
//! before others, a short-term owner before a long-term one, a later cell before an earlier one.

use aya_ebpf::{bindings::BPF_NOEXIST, macros::map, maps::Array};
use pintrace_common::{
    counters::{Loss, Total},
    ledger::{MultiOwnerFolio, OWNER_CELLS},
};

use crate::map_ref::{Lookup, MapRef, word};
use crate::{atomic::Word, compat::loops, count, ledger::owners, maps};

const _: () =
    assert!(size_of::<MultiOwnerFolio>() == (OWNER_CELLS + 1) * 8 && (OWNER_CELLS + 1).is_power_of_two());

/// [`OWNER_CELLS`] in the type of the loop counters.
const CELLS: u32 = OWNER_CELLS as u32;

struct Entry(MapRef<MultiOwnerFolio>);

impl Entry {
    #[inline(always)]
    fn find(head: u64) -> Option<Self> {
        maps::MULTI_OWNER_FOLIOS.at(head).map(Self)
    }

    #[inline(always)]
    fn pins(&self) -> Word {
        let value = self.0;
        word!(value.pins)
    }

    /// Returns cell `index`, below [`OWNER_CELLS`]. The mask is for the verifier, because the compiler may hide a
    /// comparison from the verifier. The masked index reaches all words of the entry, whose first word is
    /// `pins`.
    #[inline(always)]
    fn cell(&self, index: usize) -> Word {
        // SAFETY: the memory of a map value stays mapped for the RCU section of the program, and the masked index is
        // inside the entry. The words are accessed atomically only.
        unsafe { Word::at(self.0.as_ptr().cast::<u64>().add((index + 1) & OWNER_CELLS)) }
    }

    /// Adds to the sum `pins`. Returns false if the entry is dead or keeps changing.
    #[inline(always)]
    fn add_unless_dead(&self, pins: u32) -> bool {
        for _ in 0..4 {
            let now = self.pins().load();
            if now == MultiOwnerFolio::DEAD {
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

/// Returns the pins of all owners of a multi-owner folio; 0 if the folio has no entry or a dead entry.
#[inline(always)]
pub fn pins(head: u64) -> u64 {
    match Entry::find(head).map(|entry| entry.pins().load()) {
        None | Some(MultiOwnerFolio::DEAD) => 0,
        Some(pins) => pins,
    }
}

/// Returns the owner in cell `index`; `None` if the cell has no pins.
#[inline(always)]
pub fn owner(head: u64, index: usize) -> Option<u32> {
    let cell = Entry::find(head)?.cell(index).load();
    (cell as u32 != 0).then_some((cell >> 32) as u32)
}

/// Flag of an acquire: the owner had no pins on the folio before.
pub const FIRST: u64 = 1;
/// Flag of an acquire: the pins are added. The flag distinguishes the result for owner number 0 from the result 0.
const HELD: u64 = 2;
/// Flag of a release: the owner has no pins left on the folio.
pub const LAST: u64 = 1 << 31;
/// Flag of a release: no owner has pins left, and the entry is dead. The caller has to clear MULTI_OWNER_MARK of the folio
/// and then to remove the entry.
pub const ENTRY_DEAD: u64 = 1 << 30;
/// Flag: several owners had pins, and a rule chose the owner.
pub const AMBIGUOUS: u64 = 1 << 29;
/// Mask of the number of pins taken.
pub const PINS: u32 = (1 << 29) - 1;

// The functions below are global, so that the verifier follows each once and not at every call. On 5.10 a global function
// takes numbers only. `pintrace_multi_owner_hold` returns owner << 32 | flags, `pintrace_multi_owner_take` returns
// owner << 32 | flags | pins; 0 asks the caller to try again.

/// Makes the entry of a folio that has had one owner so far, with the pins of the folio's cell. Returns 0 if the entry cannot
/// be made now.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_multi_owner_make(head: u64, cell: u64) -> u32 {
    let empty: &MultiOwnerFolio = &EMPTY;
    if maps::MULTI_OWNER_FOLIOS
        .insert(head, empty, u64::from(BPF_NOEXIST))
        .is_err()
    {
        return 0;
    }
    count_entries(1);
    let Some(entry) = Entry::find(head) else {
        return 0;
    };
    // No CPU uses the entry before the folio's cell is marked.
    entry.cell(0).store(cell);
    entry.pins().store(cell & u64::from(u32::MAX));
    1
}

/// The value of a new entry. Its 128 bytes would take a quarter of the stack (`MAX_BPF_STACK`, 512 bytes for a whole call
/// chain).
static EMPTY: MultiOwnerFolio = MultiOwnerFolio {
    pins: 0,
    cells: [0; OWNER_CELLS],
};

/// Removes an entry that no CPU uses: the entry is dead, or the cell was not marked.
#[inline(always)]
pub fn remove(head: u64) {
    if maps::MULTI_OWNER_FOLIOS.remove(head).is_ok() {
        count_entries(u64::MAX);
    }
}

/// Number of entries. At 0 a release need not find out what kind of code releases.
#[map]
static MULTI_OWNER_COUNT: Array<u64> = Array::with_max_entries(1, 0);

/// Returns true if a folio has several owners.
#[inline(always)]
pub fn any() -> bool {
    MULTI_OWNER_COUNT.get(0).copied().unwrap_or(0) != 0
}

#[inline(always)]
fn count_entries(n: u64) {
    if let Some(count) = MULTI_OWNER_COUNT.at(0) {
        count.word().add(n);
    }
}

/// Adds pins to a folio for an owner.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_multi_owner_hold(head: u64, owner: u32, pins: u32) -> u64 {
    let Some(entry) = Entry::find(head) else {
        return 0;
    };
    if !entry.add_unless_dead(pins) {
        return 0;
    }
    let Some(zeros) = maps::Zeros::find() else {
        return 0;
    };
    let (owner, pins, done) = (u64::from(owner), u64::from(pins), zeros.next());
    let mut adding = AddState {
        entry,
        owner,
        pins,
        done,
    };
    loops::repeat::<CELLS, _>(own_step, &mut adding);
    if adding.done == 0 {
        loops::repeat::<CELLS, _>(free_step, &mut adding);
    }
    if adding.done != 0 {
        return adding.done;
    }
    // All cells belong to other owners: the pins go to the owner of the first cell.
    count::loss(Loss::OwnerCellsFull, pins);
    let other = adding.entry.cell(0).fetch_add(pins);
    other >> 32 << 32 | HELD
}

/// State of adding pins to an entry.
struct AddState {
    entry: Entry,
    owner: u64,
    pins: u64,
    done: u64,
}

/// Adds the pins to a cell that the owner has already.
extern "C" fn own_step(index: u32, adding: *mut AddState) -> i64 {
    // SAFETY: the loop passes the state on.
    let adding = unsafe { &mut *adding };
    let word = adding.entry.cell(index as usize);
    let now = word.load();
    if now != 0 && now >> 32 == adding.owner && word.swap(now, now + adding.pins) {
        adding.done = adding.owner << 32 | HELD;
        return 1;
    }
    0
}

/// Puts the pins into a free cell.
extern "C" fn free_step(index: u32, adding: *mut AddState) -> i64 {
    // SAFETY: the loop passes the state on.
    let adding = unsafe { &mut *adding };
    if adding
        .entry
        .cell(index as usize)
        .swap(0, adding.owner << 32 | adding.pins)
    {
        adding.done = adding.owner << 32 | FIRST | HELD;
        return 1;
    }
    0
}

/// Takes up to `pins` pins from the owner that the rule chooses.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_multi_owner_take(head: u64, pins: u32, pid_tgid: u64, kind: u64) -> u64 {
    let Some(entry) = Entry::find(head) else {
        return 0;
    };
    let Some(zeros) = maps::Zeros::find() else {
        return 0;
    };
    let mut choice = Choice {
        entry,
        pid_tgid,
        kind,
        best: zeros.next(),
        best_rank: zeros.next(),
        holding: zeros.next(),
        candidates: zeros.next(),
    };
    loops::repeat::<CELLS, _>(choose_step, &mut choice);
    let Choice {
        entry,
        best,
        best_rank,
        holding,
        candidates,
        ..
    } = choice;
    let best = best as usize;
    // Without a candidate the kinds contradict one another, and any owner may be the owner of the release.
    let owners = if candidates == 0 { holding } else { candidates };
    let chosen = owners > 1 && best_rank & u64::from(owners::CERTAIN) == 0;
    if holding == 0 {
        return 0;
    }
    let now = entry.cell(best).load();
    let have = now as u32;
    let part = if pins < have { pins } else { have } & PINS;
    if part == 0 {
        return 0;
    }
    let last = part == have;
    if !entry
        .cell(best)
        .swap(now, if last { 0 } else { now - u64::from(part) })
    {
        return 0;
    }
    let left = entry.pins().fetch_sub(u64::from(part)) - u64::from(part);
    let emptied = left == 0 && entry.pins().swap(0, MultiOwnerFolio::DEAD);
    if chosen {
        count::total(Total::AmbiguousOwner, u64::from(part));
    }
    let ambiguous = if chosen { AMBIGUOUS } else { 0 };
    let flags = if last { LAST } else { 0 } | if emptied { ENTRY_DEAD } else { 0 } | ambiguous;
    now >> 32 << 32 | flags | u64::from(part)
}

/// State of the search for the owner of a release.
struct Choice {
    entry: Entry,
    pid_tgid: u64,
    kind: u64,
    best: u64,
    best_rank: u64,
    /// Number of owners with pins.
    holding: u64,
    /// Number of these owners to which the release may belong.
    candidates: u64,
}

extern "C" fn choose_step(index: u32, choice: *mut Choice) -> i64 {
    // SAFETY: the loop passes the state on.
    let choice = unsafe { &mut *choice };
    let now = choice.entry.cell(index as usize).load();
    if now != 0 {
        choice.holding = loops::opaque(choice.holding + 1);
        let rank = u64::from(owners::rank((now >> 32) as u32, choice.pid_tgid, choice.kind));
        if rank & u64::from(owners::CANDIDATE) != 0 {
            choice.candidates = loops::opaque(choice.candidates + 1);
        }
        if rank >= choice.best_rank {
            choice.best_rank = loops::opaque(rank);
            choice.best = loops::opaque(u64::from(index));
        }
    }
    0
}
