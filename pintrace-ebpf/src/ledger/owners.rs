//! Owners: an owner is an account or an extent, as the number in a cell of the folio table.

use pintrace_common::{
    holder_kind::kind,
    ledger::{Account, EXTENT_BIT},
};

use crate::map_ref::{Lookup, MapRef, word};
use crate::{branchless::equal, ledger::extents, maps};

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

/// Flag of [`rank`]: code of the releaser's kind may have pinned, so the release may be the owner's.
pub const CANDIDATE: u64 = 1 << 3;
/// Flag of [`rank`]: the running thread pinned, and its kind of pins is released by the thread itself.
pub const CERTAIN: u64 = 1 << 4;

/// Returns how likely a release belongs to the owner: a greater number is more likely. `pid_tgid` is the running task,
/// `releaser` the kind of the code that releases.
#[inline(always)]
pub fn rank(owner: u32, pid_tgid: u64, releaser: u64, at: ReleasedPage) -> u64 {
    let Some(account) = maps::ACCOUNTS.get(account_of(owner)) else {
        return 0;
    };
    let key = &account.key;
    let pinner = account.holder_kind;
    let short_term = equal(key.longterm.into(), 0);
    let process = equal(key.pid_tgid >> 32, pid_tgid >> 32);
    let thread = equal(key.pid_tgid, pid_tgid);
    let unknown = equal(releaser, kind::UNKNOWN) | equal(pinner, kind::UNKNOWN);
    let kinds_agree = equal(releaser, pinner) | unknown;
    let certain = thread & equal(releaser, kind::PROCESS_VM) & equal(pinner, kind::PROCESS_VM);
    let candidate = kinds_agree & u64::from(may_contain(owner, at));
    short_term | (process << 1) | (thread << 2) | (candidate * CANDIDATE) | (certain * CERTAIN)
}

/// A released page and its folio, as addresses of struct pages.
#[derive(Clone, Copy)]
pub struct ReleasedPage {
    /// The page; 0 if any page of the folio may be released.
    pub page: u64,
    /// The head page of the folio.
    pub head: u64,
    /// The address after the last page of the folio.
    pub end: u64,
}

/// Returns true if an owner may have pinned a page. In a folio with the first or the last page of an extent, the pages of
/// the extent begin or end there.
#[inline(always)]
fn may_contain(owner: u32, released: ReleasedPage) -> bool {
    let ReleasedPage { page, head, end } = released;
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

/// Subtracts released pages, and the bytes of released folios, from the counts of an owner.
///
/// The function is global, so that the verifier follows it once and not at every call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_debit(owner: u32, pages: u64, bytes: u64) -> u32 {
    if let Some(account) = maps::ACCOUNTS.at(account_of(owner)) {
        released(account, pages, bytes);
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

/// Adds bytes kept in place to the counts of an owner.
#[inline(always)]
pub fn keep_bytes(owner: u32, bytes: u64) {
    if let Some(account) = maps::ACCOUNTS.at(account_of(owner)) {
        word!(account.bytes_held).add(bytes);
    }
    if owner & EXTENT_BIT != 0
        && let Some(extent) = maps::EXTENTS.at(owner & !EXTENT_BIT)
    {
        word!(extent.bytes_held).add(bytes);
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
    }
}
