//! The short way through the ledger for a page in a folio of its own: the page of a 4 KiB direct read or write, or each
//! page of a larger buffer of small pages.
//!
//! Each function does its work only if nothing but the ordinary has to be done, else it changes no cell and no count, and
//! the caller takes the way that handles everything. The ordinary: the thread used the same account last, the page is
//! pinned, small, and exclusive or not anonymous, its cell exists, and no other owner is involved.
//!
//! This way has no loops, no calls of functions but one for the page of an extent, and reads memory in place. Kernels
//! that cannot read in place ([`crate::rdonly_cast`]) do not pin for direct I/O, and always take the other way.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use pintrace_common::{
    counters::Total,
    ledger::{Account, EXTENT_BIT, MULTI_OWNER_MARK},
    limits,
};

use crate::map_ref::{Lookup, MapRef, get, word};
use crate::{
    atomic::Word,
    clock, count,
    facts::FACTS,
    folio, kernel,
    ledger::{
        areas::NO_FILE_AREA,
        extents,
        folio_table::{self, CellTable, Chunks},
        state,
        walk::SMALL,
    },
    maps,
    rdonly_cast::Words,
};

/// Bytes of a small folio.
const BYTES: u64 = 4096;

/// Enters a short-term pin call of the running task for one page, whose address is at `array`. `caller` is the return
/// address in the caller. For kernels with `plain_pages` ([`FACTS`]).
#[inline(always)]
pub fn acquired(array: u64, caller: u64) -> bool {
    let page = Words::readable(array as *const u8).word::<0>();
    let thread = bpf_get_current_pid_tgid();
    let Some(recent) = maps::RECENT.at(thread as u32 & (limits::RECENT - 1)) else {
        return false;
    };
    let id = recent.load();
    let Some(found) = maps::ACCOUNTS.at(id) else {
        return false;
    };
    if !is_short_term_account(found, thread, caller) || !is_ordinary(page) || !hold::<Chunks>(page, id) {
        return false;
    }
    let before = word!(found.acquired).fetch_add(1);
    word!(found.calls).add(1);
    word!(found.bytes_held).add(BYTES);
    if before == word!(found.released).load() {
        word!(found.held_since_ns).store(clock::coarse_time());
    }
    count::total(Total::Acquired, 1);
    true
}

/// Takes one pin off the owner of a page or of a small folio, or counts the release of a pin that the table does not have.
#[inline(always)]
pub fn released(page: u64) -> bool {
    if FACTS.plain_pages() == 0 {
        return false;
    }
    if state::longterm_calls().load() | state::multi_owner_folios().load() != 0 || !is_ordinary(page) {
        return false;
    }
    let Some((word, now)) = Chunks::find(page).map(|word| (word, word.load())) else {
        count::total(Total::PreexistingReleased, 1);
        return true;
    };
    if now == 0 {
        count::total(Total::PreexistingReleased, 1);
        return true;
    }
    let owner = (now >> 32) as u32;
    if !is_single_pin(now) || !word.swap(now, 0) {
        return false;
    }
    if owner & EXTENT_BIT != 0 {
        extents::pintrace_extent_release_page(owner & !EXTENT_BIT);
    } else if let Some(found) = maps::ACCOUNTS.at(owner) {
        word!(found.released).add(1);
        word!(found.bytes_held).sub(BYTES);
    }
    count::total(Total::Released, 1);
    true
}

/// Adds the only pin of an ordinary page ([`is_ordinary`]) for an owner. The page's cell must exist and be empty.
#[inline(always)]
fn hold<T: CellTable>(page: u64, owner: u32) -> bool {
    T::find(page).is_some_and(|word| word.swap(0, folio_table::cell(owner, 1)))
}

/// Does the work of [`hold`] in a walk. `in_no_file` is [`NO_FILE_AREA`] if the page before belongs to no file and to the
/// present part of the call. Returns [`SMALL`] if the pin was added, and [`NO_FILE_AREA`] if this page belongs to no
/// file. A page of an extent is left to the other way unless it belongs to the present part for certain.
#[inline(always)]
pub fn hold_in_walk<T: CellTable>(page: u64, owner: u32, in_no_file: u64) -> u64 {
    if FACTS.plain_pages() == 0 {
        return 0;
    }
    let Some(mapping) = ordinary(page) else {
        return 0;
    };
    let area = if folio::has_no_file(mapping) {
        NO_FILE_AREA
    } else {
        0
    };
    if owner & EXTENT_BIT != 0 && area & in_no_file == 0 || !hold::<T>(page, owner) {
        return area;
    }
    area | SMALL
}

/// Takes the only pin of an ordinary page ([`is_ordinary`]) off its owner. Returns the owner << 32 and [`SMALL`]; 0 if the
/// table records no pin or several pins on the page.
#[inline(always)]
pub fn take_in_walk<T: CellTable>(page: u64) -> u64 {
    if FACTS.plain_pages() == 0 || !is_ordinary(page) {
        return 0;
    }
    let Some((word, now)) = single_pin::<T>(page) else {
        return 0;
    };
    if !word.swap(now, 0) {
        return 0;
    }
    T::emptied(page);
    now & !0xffff_ffff | SMALL
}

/// Returns the cell of a page and the cell's content, if the content is one pin of one owner.
#[inline(always)]
fn single_pin<T: CellTable>(page: u64) -> Option<(Word, u64)> {
    let word = T::find(page)?;
    let now = word.load();
    is_single_pin(now).then_some((word, now))
}

/// Returns true if the content of a cell is one pin of one owner.
#[inline(always)]
fn is_single_pin(now: u64) -> bool {
    now as u32 == 1 && now != MULTI_OWNER_MARK
}

/// Returns true if an account is that of the running thread's short-term pins through a caller into its own mm.
#[inline(always)]
fn is_short_term_account(account: MapRef<Account>, thread: u64, caller: u64) -> bool {
    let (mm, by, of) = (
        get!(account.key.mm),
        get!(account.key.caller),
        get!(account.key.pid_tgid),
    );
    if mm != 0 || by != caller || of != thread || get!(account.key.longterm) != 0 {
        return false;
    }
    let start_time = kernel::current_task() + u64::from(FACTS.task_start_time());
    let started = Words::readable(start_time as *const u8).word::<0>() >> 16;
    get!(account.key.started) == started as u32
}

/// Returns true if a page is a small folio that carries a pin, and is exclusive or not anonymous.
#[inline(always)]
fn is_ordinary(page: u64) -> bool {
    ordinary(page).is_some()
}

/// Returns `page.mapping` of a page, if [`is_ordinary`].
#[inline(always)]
fn ordinary(page: u64) -> Option<u64> {
    let words = Words::readable(page as *const u8);
    let (flags, link) = (words.word::<0>(), words.word::<1>());
    let refcount = (words.word::<6>() >> 32) as u32;
    if flags as u32 & FACTS.pg_head_mask() != 0 || link & 1 != 0 || refcount < FACTS.pin_bias() {
        return None;
    }
    let mapping = words.word::<3>();
    let exclusive = FACTS.pg_anon_exclusive_mask();
    if flags as u32 & exclusive == 0 && exclusive != 0 && folio::is_anonymous(mapping) {
        return None;
    }
    Some(mapping)
}
