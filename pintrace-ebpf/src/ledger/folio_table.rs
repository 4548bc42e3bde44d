//! The folio table: which owner has how many pins on a folio.
//!
//! A folio has one cell: owner << 32 | pins. For a second owner the folio gets a multi-owner entry
//! ([`crate::ledger::multi_owner`]), and the cell is marked. Every change is a compare-and-swap, because interrupts and
//! other CPUs release pins at any moment.

use pintrace_common::{
    counters::Loss,
    folio::{self, KeptBytes},
    ledger::MULTI_OWNER_MARK,
    release_outcome::ReleaseOutcome,
};

use crate::{
    atomic::Word,
    compat::{
        locks::{self, LockTarget},
        loops,
    },
    count,
    ledger::{chunks, multi_owner, multi_owner_release, owners, releaser::ReleaseCode, small_folio},
    unknown_zero::unknown_zero,
};

/// The storage of the cells. The programs use [`Chunks`]; the bench compares other layouts.
pub trait CellTable: Copy + 'static {
    /// Returns the cell of a folio, or `None` if the folio has none.
    fn find(head: u64) -> Option<Word>;
    /// Returns the cell of a folio, and makes the cell if there is none.
    fn find_or_make(head: u64) -> Option<Word>;
    /// Handles the release of the last pin of a folio.
    fn emptied(_head: u64) {}
    /// Adds the only pin of a small page for an owner by the short way ([`small_folio::hold_in_walk`]).
    fn hold_small(page: u64, owner: u32, in_no_file: u64) -> u64 {
        small_folio::hold_in_walk::<Self>(page, owner, in_no_file)
    }
    /// Takes the only pin of a small page by the short way ([`small_folio::take_in_walk`]).
    fn take_small(page: u64) -> u64 {
        small_folio::take_in_walk::<Self>(page)
    }
    /// Adds pins to a folio for an owner. `head` may be marked by [`folio::not_exclusive`]. Returns the number of the
    /// owner that has the pins now, << 32, and [`multi_owner::FIRST`]. The number is `owner`, or another owner if the
    /// folio has too many, or 0 if the table is full.
    fn hold(head: u64, owner: u32, pins: u32) -> u64 {
        hold_in::<Self>(head, owner, pins)
    }
    /// Takes pins off a folio, from one owner after another. The result contains the number of pins without an owner.
    /// `head` may be marked by [`folio::not_exclusive`], `bytes` is the size of the folio, `code` the code that releases, and
    /// the page.
    fn take(head: u64, pins: u32, code: ReleaseCode, bytes: u64) -> ReleaseOutcome {
        take_from::<Self>(head, pins, code, bytes)
    }
}

/// Cells in chunks ([`chunks`]).
#[derive(Clone, Copy)]
pub struct Chunks;

impl CellTable for Chunks {
    #[inline(always)]
    fn find(head: u64) -> Option<Word> {
        chunks::find(head)
    }

    #[inline(always)]
    fn find_or_make(head: u64) -> Option<Word> {
        chunks::find(head).or_else(|| chunks::make(head))
    }

    #[inline(always)]
    fn hold_small(page: u64, owner: u32, in_no_file: u64) -> u64 {
        pintrace_hold_small(page, owner, in_no_file)
    }

    #[inline(always)]
    fn take_small(page: u64) -> u64 {
        pintrace_take_small(page)
    }

    #[inline(always)]
    fn hold(head: u64, owner: u32, pins: u32) -> u64 {
        pintrace_hold(head, owner, pins)
    }

    #[inline(always)]
    fn take(head: u64, pins: u32, code: ReleaseCode, bytes: u64) -> ReleaseOutcome {
        ReleaseOutcome(pintrace_take(head, pins, code.0, bytes))
    }
}

/// [`CellTable::hold_small`] in a global function, so that its paths do not multiply those of the loop over pages.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_hold_small(page: u64, owner: u32, in_no_file: u64) -> u64 {
    small_folio::hold_in_walk::<Chunks>(page, owner, in_no_file)
}

/// [`CellTable::take_small`] in a global function, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_take_small(page: u64) -> u64 {
    small_folio::take_in_walk::<Chunks>(page)
}

/// [`CellTable::hold`] in a global function, which the verifier follows once and not at every call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_hold(head: u64, owner: u32, pins: u32) -> u64 {
    let Some(lock) = locks::lock(LockTarget::Folio(folio::head(head))) else {
        count::loss(Loss::CellContended, u64::from(pins));
        return 0;
    };
    let owner = hold_in::<Chunks>(head, owner, pins);
    lock.unlock();
    owner
}

/// [`CellTable::take`] in a global function.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_take(head: u64, pins: u32, code: u64, bytes: u64) -> u64 {
    let Some(lock) = locks::lock(LockTarget::Folio(folio::head(head))) else {
        count::loss(Loss::CellContended, u64::from(pins));
        return 0;
    };
    let taken = take_from::<Chunks>(head, pins, ReleaseCode(code), bytes);
    lock.unlock();
    taken.0
}

/// Packs an owner and a number of pins into a cell.
#[inline(always)]
pub const fn cell(owner: u32, pins: u32) -> u64 {
    (owner as u64) << 32 | pins as u64
}

#[inline(always)]
fn hold_in<T: CellTable>(marked: u64, owner: u32, pins: u32) -> u64 {
    if folio::is_not_exclusive(marked) {
        owners::pintrace_not_exclusive(owner, u64::from(pins));
    }
    let head = folio::head(marked);
    let Some(word) = T::find_or_make(head) else {
        count::loss(Loss::FolioTableFull, u64::from(pins));
        return 0;
    };
    // Nearly always the folio has no owner, or `owner` is its only owner.
    let now = word.load();
    if now == 0 && word.swap(0, cell(owner, pins)) {
        return u64::from(owner) << 32 | multi_owner::FIRST;
    }
    if (now >> 32) as u32 == owner && word.swap(now, now + u64::from(pins)) {
        return u64::from(owner) << 32;
    }
    let mut adding = Adding {
        head,
        owner: u64::from(owner),
        pins: u64::from(pins),
        done: unknown_zero(),
        got: unknown_zero(),
    };
    loops::repeat::<{ loops::ATTEMPTS }, _>(hold_step::<T>, &mut adding);
    if adding.done == 0 {
        adding.give_up::<T>();
    }
    adding.got
}

/// State of adding pins to a cell that is shared or changes meanwhile. The verifier follows a loop over this state
/// once.
struct Adding {
    /// Address of the folio's head page.
    head: u64,
    /// The owner that adds the pins.
    owner: u64,
    /// Number of pins to add.
    pins: u64,
    /// 1 once the pins are added.
    done: u64,
    /// The result of [`CellTable::hold`].
    got: u64,
}

impl Adding {
    /// Records that `owner` has the pins now.
    #[inline(always)]
    fn settle(&mut self, owner: u32, first: bool) {
        self.got = u64::from(owner) << 32 | if first { multi_owner::FIRST } else { 0 };
        self.done = 1;
    }

    /// Gives the pins to the present owner of the folio, if there is no room for a multi-owner entry or the cell keeps
    /// changing.
    #[inline(always)]
    fn give_up<T: CellTable>(&mut self) {
        if let Some(word) = T::find(self.head) {
            let now = word.load();
            if now != 0 && now != MULTI_OWNER_MARK && word.swap(now, now + self.pins) {
                count::loss(Loss::OwnerCellsFull, self.pins);
                self.got = now >> 32 << 32;
                return;
            }
        }
        count::loss(Loss::CellContended, self.pins);
    }
}

extern "C" fn hold_step<T: CellTable>(_index: u32, adding: *mut Adding) -> i64 {
    // SAFETY: the loop passes the state on.
    let adding = unsafe { &mut *adding };
    let Some(word) = T::find(adding.head) else {
        return 0;
    };
    let (owner, pins) = (adding.owner as u32, adding.pins as u32);
    let now = word.load();
    if now == MULTI_OWNER_MARK {
        let held = multi_owner::pintrace_multi_owner_hold(adding.head, owner, pins);
        if multi_owner::is_dead_folio(held) {
            if let Some(other) = T::find(held) {
                other.swap(MULTI_OWNER_MARK, 0);
            }
            multi_owner::pintrace_multi_owner_remove(held);
        } else if held != 0 {
            adding.settle((held >> 32) as u32, held & multi_owner::FIRST != 0);
        }
    } else if now == 0 || (now >> 32) as u32 == owner {
        let next = if now == 0 {
            cell(owner, pins)
        } else {
            now + u64::from(pins)
        };
        if word.swap(now, next) {
            adding.settle(owner, now == 0);
        }
    } else if multi_owner::pintrace_multi_owner_make(adding.head, now) != 0
        && !word.swap(now, MULTI_OWNER_MARK)
    {
        // The cell changed before the new entry was in use. If an entry cannot be made, another CPU is making one or
        // the table is full.
        multi_owner::pintrace_multi_owner_remove(adding.head);
    }
    i64::from(adding.done != 0)
}

/// State of taking pins off a folio.
struct Taking {
    /// Address of the folio's head page.
    head: u64,
    /// Size of the folio in bytes.
    bytes: u64,
    /// The code that releases, and the page.
    code: ReleaseCode,
    /// Number of pins left to take.
    left: u64,
}

impl Taking {
    /// Debits `owner` with `pins` pins. If `last`, the owner has no pins left on the folio.
    #[inline(always)]
    fn settle(&mut self, owner: u32, pins: u32, last: bool) {
        self.left -= u64::from(pins);
        let bytes = if last {
            KeptBytes::of_folio(self.bytes).0
        } else {
            0
        };
        owners::pintrace_debit(owner, u64::from(pins), bytes);
    }
}

#[inline(always)]
fn take_from<T: CellTable>(marked: u64, pins: u32, code: ReleaseCode, bytes: u64) -> ReleaseOutcome {
    let head = folio::head(marked);
    let Some(word) = T::find(head) else {
        return ReleaseOutcome::without_owner_to_debit(u64::from(pins));
    };
    let now = word.load();
    if now == 0 {
        return ReleaseOutcome::without_owner_to_debit(u64::from(pins));
    }
    if folio::is_not_exclusive(marked) && now != MULTI_OWNER_MARK {
        owners::pintrace_not_exclusive((now >> 32) as u32, u64::from(pins));
    }
    // Nearly always the folio has one owner, the owner has enough pins, and no other CPU changes the cell.
    if now != MULTI_OWNER_MARK && now as u32 >= pins {
        let last = now as u32 == pins;
        if word.swap(now, if last { 0 } else { now - u64::from(pins) }) {
            if last {
                T::emptied(head);
            }
            return ReleaseOutcome::single_owner((now >> 32) as u32, last);
        }
    }
    // Hides the bounds of `left` from the verifier, which would see the bounds change on every iteration.
    let left = unknown_zero() + u64::from(pins);
    let mut taking = Taking {
        head,
        bytes,
        code,
        left,
    };
    loops::repeat::<{ loops::ATTEMPTS }, _>(take_step::<T>, &mut taking);
    if taking.left != 0 && T::find(head).is_some_and(|word| word.load() != 0) {
        // The attempts ran out while owners still had pins.
        count::loss(Loss::CellContended, taking.left);
    }
    ReleaseOutcome::without_owner_to_debit(taking.left)
}

/// Makes one attempt on a cell with one owner. Returns false if another CPU changed the cell.
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

extern "C" fn take_step<T: CellTable>(_index: u32, taking: *mut Taking) -> i64 {
    // SAFETY: the loop passes the state on.
    let taking = unsafe { &mut *taking };
    let Some(word) = T::find(taking.head) else {
        return 1;
    };
    let now = word.load();
    if now == 0 {
        return 1;
    }
    if now == MULTI_OWNER_MARK {
        let code = taking.code.0;
        let taken = multi_owner_release::pintrace_multi_owner_take(
            taking.head,
            taking.left as u32,
            code,
            taking.bytes,
        );
        if taken & multi_owner_release::ENTRY_DEAD != 0 {
            // The order matters: no other CPU can make a new entry while the dead entry exists.
            word.swap(MULTI_OWNER_MARK, 0);
            multi_owner::pintrace_multi_owner_remove(taking.head);
        }
        if taken != 0 {
            let pins = taken as u32 & multi_owner_release::PINS;
            taking.settle((taken >> 32) as u32, pins, taken & multi_owner_release::LAST != 0);
            if taken & multi_owner_release::AMBIGUOUS != 0 {
                multi_owner_release::pintrace_mark_ambiguous_owner(taking.head, code, taking.bytes, taken);
            }
        }
    } else {
        take_once::<T>(taking, word, now);
    }
    i64::from(taking.left == 0)
}
