//! A holder is an account or an extent: what a cell of the folio table names.

use pintrace_common::ledger::{Account, EXTENT_BIT};

use crate::{atomic::Word, extents, maps};

/// The account behind a holder.
#[inline(always)]
pub fn account_of(holder: u32) -> u32 {
    if holder & EXTENT_BIT == 0 {
        return holder;
    }
    maps::EXTENTS
        .get(holder & !EXTENT_BIT)
        .map_or(0, |extent| extent.account)
}

/// How likely a release belongs to this holder: 0 to 3.
#[inline(always)]
pub fn rank(holder: u32, tgid: u32) -> u32 {
    let Some(account) = maps::ACCOUNTS.get(account_of(holder)) else {
        return 0;
    };
    let short_term = u32::from(account.key.longterm == 0);
    let own = u32::from((account.key.pid_tgid >> 32) as u32 == tgid);
    short_term + 2 * own
}

/// Takes released pages, and the bytes of folios let go, off a holder's figures.
///
/// A global function: the verifier follows it once, by itself, and not at every call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_debit(holder: u32, pages: u64, bytes: u64) -> u32 {
    if let Some(account) = maps::ACCOUNTS.get_ptr_mut(account_of(holder)) {
        released(account, pages, bytes);
    }
    if holder & EXTENT_BIT != 0 {
        extents::shrink(holder & !EXTENT_BIT, pages, bytes);
    }
    0
}

/// Adds bytes kept in place to a holder's figures.
#[inline(always)]
pub fn keep_bytes(holder: u32, bytes: u64) {
    if let Some(account) = maps::ACCOUNTS.get_ptr_mut(account_of(holder)) {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(&raw mut (*account).bytes_held) }.add(bytes);
    }
    if holder & EXTENT_BIT != 0
        && let Some(extent) = maps::EXTENTS.get_ptr_mut(holder & !EXTENT_BIT)
    {
        // SAFETY: as above.
        unsafe { Word::at(&raw mut (*extent).bytes_held) }.add(bytes);
    }
}

#[inline(always)]
fn released(account: *mut Account, pages: u64, bytes: u64) {
    // SAFETY: a live map value, accessed atomically.
    unsafe {
        Word::at(&raw mut (*account).released).add(pages);
        if bytes != 0 {
            Word::at(&raw mut (*account).bytes_held).sub(bytes);
        }
    }
}

/// Pins of a holder that found no place with it: another one took them in, or nobody (0). Their release will not be
/// seen as the holder's, so they count as that at once.
///
/// A global function: the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_misplaced(holder: u32, taken_by: u32, pages: u64) -> u32 {
    if let Some(account) = maps::ACCOUNTS.get_ptr_mut(account_of(holder)) {
        released(account, pages, 0);
    }
    if taken_by != 0 {
        lend(taken_by, pages);
    }
    0
}

/// Adds pins to a holder that no call of its own has brought.
#[inline(always)]
pub fn lend(holder: u32, pages: u64) {
    if let Some(account) = maps::ACCOUNTS.get_ptr_mut(account_of(holder)) {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(&raw mut (*account).acquired) }.add(pages);
    }
    if holder & EXTENT_BIT != 0
        && let Some(extent) = maps::EXTENTS.get_ptr_mut(holder & !EXTENT_BIT)
    {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(&raw mut (*extent).pages_held) }.add(pages);
    }
}
