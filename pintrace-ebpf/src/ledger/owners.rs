//! Owners: an owner is an account or an extent, as the number in a cell of the folio table.

use pintrace_common::{
    folio::KeptBytes,
    holder_kind::kind,
    ledger::{Account, EXTENT_BIT},
};

use crate::map_ref::{Lookup, MapRef, word};
use crate::{
    branchless::equal,
    ledger::{changed_extents, extents, releaser::ReleaseCode},
    maps,
};

/// Returns the id of an owner's account.
#[inline(always)]
pub fn account_of(owner: u32) -> u32 {
    if owner & EXTENT_BIT == 0 {
        return owner;
    }
    maps::EXTENTS
        .get(owner & !EXTENT_BIT)
        .map_or(0, |extent| extent.account)
}

/// Flag of [`pintrace_rank`]: code of the releaser's kind may have pinned, so the release may be the owner's.
pub const CANDIDATE: u64 = 1 << 3;
/// Flag of [`pintrace_rank`]: the running thread pinned, and its kind of pins is released by the thread itself.
pub const CERTAIN: u64 = 1 << 4;

/// Returns how likely a release belongs to the owner: a greater number is more likely. `task` is the releasing task, `code`
/// a [`ReleaseCode`], `head` the head page of the folio, `end` the address after its struct pages.
///
/// The function is global, so that the verifier follows it once and not for each cell of a block.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_rank(owner: u32, task: u64, code: u64, head: u64, end: u64) -> u64 {
    // First, because a chain of calls has a stack of 512 bytes, and `head` and `end` need no room afterwards.
    let contains = u64::from(may_contain(owner, ReleaseCode(code).page(head), head, end));
    let Some(account) = maps::ACCOUNTS.get(account_of(owner)) else {
        return 0;
    };
    let key = &account.key;
    let (pinner, releaser) = (account.holder_kind, ReleaseCode(code).kind());
    let short_term = equal(key.longterm.into(), 0);
    let process = equal(key.pid_tgid >> 32, task >> 32);
    let thread = equal(key.pid_tgid, task);
    let unknown = equal(releaser, kind::UNKNOWN) | equal(pinner, kind::UNKNOWN);
    let kinds_agree = equal(releaser, pinner) | unknown;
    let certain = thread & equal(releaser, kind::PROCESS_VM) & equal(pinner, kind::PROCESS_VM);
    let candidate = kinds_agree & contains;
    short_term | (process << 1) | (thread << 2) | (candidate * CANDIDATE) | (certain * CERTAIN)
}

/// Returns true if an owner may have pinned a page of a folio; 0 is an unknown page. In a folio with the first or the last
/// page of an extent, the pages of the extent begin or end there.
#[inline(always)]
fn may_contain(owner: u32, page: u64, head: u64, end: u64) -> bool {
    if owner & EXTENT_BIT == 0 || page == 0 {
        return true;
    }
    let Some(extent) = maps::EXTENTS.get(owner & !EXTENT_BIT) else {
        return true;
    };
    let inside = |place: u64| place >= head && place < end;
    !(inside(extent.first_page) && page < extent.first_page
        || inside(extent.last_page) && page > extent.last_page)
}

/// Subtracts released pages, and the [`KeptBytes`] of released folios, from the counts of an owner. Returns 0, which the verifier
/// does not know.
///
/// The function is global, so that the verifier follows it once and not at every call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_debit(owner: u32, pages: u64, kept: u64) -> u64 {
    let (bytes, huge) = KeptBytes(kept).split();
    if let Some(account) = maps::ACCOUNTS.at(account_of(owner)) {
        released(account, pages, bytes);
        if huge != 0 {
            word!(account.huge_bytes_held).sub(huge);
        }
    }
    if owner & EXTENT_BIT != 0 {
        extents::shrink(owner & !EXTENT_BIT, pages, bytes);
    }
    0
}

/// Counts pins or releases of pages that are anonymous and not exclusive, for the owner's account.
///
/// The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_not_exclusive(owner: u32, pages: u64) -> u32 {
    if let Some(account) = maps::ACCOUNTS.at(account_of(owner)) {
        word!(account.not_exclusive).add(pages);
    }
    0
}

/// Adds bytes kept in place, as [`KeptBytes`], to the counts of an owner.
#[inline(always)]
pub fn keep_bytes(owner: u32, kept: u64) {
    let (bytes, huge) = KeptBytes(kept).split();
    if let Some(account) = maps::ACCOUNTS.at(account_of(owner)) {
        word!(account.bytes_held).add(bytes);
        if huge != 0 {
            word!(account.huge_bytes_held).add(huge);
        }
    }
    if owner & EXTENT_BIT != 0
        && let Some(extent) = maps::EXTENTS.at(owner & !EXTENT_BIT)
    {
        word!(extent.bytes_held).add(bytes);
        changed_extents::mark(owner & !EXTENT_BIT);
    }
}

#[inline(always)]
fn released(account: MapRef<Account>, pages: u64, bytes: u64) {
    word!(account.released).add(pages);
    if bytes != 0 {
        word!(account.bytes_held).sub(bytes);
    }
}

/// Corrects the counts for pins that the folio table could not record under `owner`: the table records them under the
/// owner `taken_by`, or not at all (0). Their release will not be counted for `owner`, so `owner` is debited at once.
///
/// The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_misplaced(owner: u32, taken_by: u32, pages: u64) -> u32 {
    if let Some(account) = maps::ACCOUNTS.at(account_of(owner)) {
        released(account, pages, 0);
    }
    if taken_by != 0 {
        lend(taken_by, pages);
    }
    0
}

/// Adds pins to an owner that the owner's own calls did not take.
#[inline(always)]
pub fn lend(owner: u32, pages: u64) {
    if let Some(account) = maps::ACCOUNTS.at(account_of(owner)) {
        word!(account.acquired).add(pages);
    }
    if owner & EXTENT_BIT != 0
        && let Some(extent) = maps::EXTENTS.at(owner & !EXTENT_BIT)
    {
        word!(extent.pages_held).add(pages);
        changed_extents::mark(owner & !EXTENT_BIT);
    }
}
