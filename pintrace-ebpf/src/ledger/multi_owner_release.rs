//! Takes released pins off one of the owners of a multi-owner folio ([`crate::ledger::multi_owner`]).
//!
//! The kind of the code that releases limits the owners of a release: a bio completion does not release what io_uring
//! registered. The released page limits them too. Of several owners that are left, a rule chooses: an owner of the
//! releasing thread, then of its process, before others, a short-term owner before a long-term one, a later cell before
//! an earlier one.

use aya_ebpf::{macros::map, maps::Array};
use pintrace_common::{
    counters::Total,
    ledger::{EXTENT_BIT, Extent, OwnerBlock, UnclearReleases},
    limits,
};

use crate::map_ref::{Lookup, get};
use crate::{
    atomic::Word,
    branchless::equal,
    compat::loops,
    count,
    facts::FACTS,
    ledger::{
        owner_block::{Block, Place, Search, Walk},
        owners,
        partial_release::mark,
        releaser::ReleaseCode,
    },
    maps,
    unknown_zero::unknown_zero,
};

/// Flag of a release: the owner has no pins left on the folio.
pub const LAST: u64 = 1 << 31;
/// Flag of a release: no owner has pins left, and the folio is dead. The caller has to clear MULTI_OWNER_MARK of the folio
/// and then to remove the blocks.
pub const ENTRY_DEAD: u64 = 1 << 30;
/// Flag: several owners had pins, and a rule chose the owner.
pub const AMBIGUOUS: u64 = 1 << 29;
/// Mask of the number of pins taken.
pub const PINS: u32 = (1 << 29) - 1;

// `pintrace_multi_owner_take` returns owner << 32 | flags | pins; 0 asks the caller to try again.

/// Returns the address after the struct pages of a folio of `bytes` bytes.
#[inline(always)]
fn end_of(head: u64, bytes: u64) -> u64 {
    head + ((bytes >> 12) << (FACTS.page_struct_shift() & 31))
}

/// Takes up to `pins` pins from the owner that the rule chooses. `code` is a [`ReleaseCode`], `bytes` the size of the
/// folio.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_multi_owner_take(head: u64, pins: u32, code: u64, bytes: u64) -> u64 {
    let Some(first) = Block::find(head, 0) else {
        return 0;
    };
    let choice = Choice {
        pid_tgid: ReleaseCode(code).task(),
        code,
        end: end_of(head, bytes),
        best: unknown_zero(),
        best_rank: unknown_zero(),
        owners: unknown_zero(),
    };
    let mut walk = Walk::new(first, head, choice);
    walk.first_block();
    walk.further_blocks(false);
    let choice = &walk.search;
    if choice.owners == 0 {
        return 0;
    }
    // Without a candidate the evidence contradicts itself, and any owner may be the owner of the release.
    let (holding, candidates) = (choice.owners >> 32, choice.owners & u64::from(u32::MAX));
    let owners = if candidates == 0 { holding } else { candidates };
    let ambiguous = owners > 1 && choice.best_rank & owners::CERTAIN == 0;
    let best = Place(choice.best);
    let taken = pintrace_multi_owner_debit(head, best.block(), best.index(), pins);
    if taken == 0 {
        return 0;
    }
    if ambiguous {
        count::total(Total::AmbiguousOwner, taken & u64::from(PINS));
        return taken | AMBIGUOUS;
    }
    taken
}

/// The search for the owner of a release.
struct Choice {
    pid_tgid: u64,
    code: u64,
    /// Address after the struct pages of the folio.
    end: u64,
    /// The [`Place`] of the best owner.
    best: u64,
    best_rank: u64,
    /// Number of owners with pins << 32 | number of these owners to which the release may belong.
    owners: u64,
}

impl Search for Choice {
    #[inline(always)]
    fn cell(&mut self, head: u64, cell: Word, place: Place) -> bool {
        let now = cell.load();
        if now == 0 {
            return false;
        }
        let rank = owners::pintrace_rank((now >> 32) as u32, self.pid_tgid, self.code, head, self.end);
        let candidate = (rank / owners::CANDIDATE) & 1;
        self.owners = loops::opaque(self.owners + (1 << 32) + candidate);
        if rank >= self.best_rank {
            self.best_rank = loops::opaque(rank);
            self.best = loops::opaque(place.0);
        }
        false
    }
}

/// Pages of each account that were released from another owner and may have been the account's, as [`UnclearReleases`].
#[map]
static UNCLEAR_RELEASES: Array<u64> = Array::with_max_entries(limits::ACCOUNTS, 0);

/// Marks the owners of a multi-owner folio to which a release may have belonged. A rule chose the owner of the release, so
/// the pages held of each such owner may be wrong: an extent is marked, and for an account the pages are counted. `code` is
/// a [`ReleaseCode`], `bytes` the size of the folio, `taken` the result of [`pintrace_multi_owner_take`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_mark_ambiguous_owner(head: u64, code: u64, bytes: u64, taken: u64) -> u32 {
    let Some(first) = Block::find(head, 0) else {
        return 0;
    };
    let mut walk = Walk::new(
        first,
        head,
        Marking {
            code,
            end: end_of(head, bytes),
            taken,
        },
    );
    walk.first_block();
    walk.further_blocks(false);
    0
}

struct Marking {
    code: u64,
    end: u64,
    taken: u64,
}

/// Counts pages for an account that may have released them. An account that has held none since the last count begins
/// anew.
#[inline(always)]
fn count_unclear(account: u32, pages: u64) {
    let (Some(held), Some(word)) = (maps::ACCOUNTS.at(account), UNCLEAR_RELEASES.at(account)) else {
        return;
    };
    let (word, period) = (word.word(), UnclearReleases::period(get!(held.held_since_ns)));
    let before = UnclearReleases(word.load());
    let so_far = (before.0 & u64::from(u32::MAX)) * equal(before.0 >> 32 << 32, period);
    // If another CPU changes the word meanwhile, its pages and these overwrite one another.
    word.store(period + so_far + pages);
}

impl Search for Marking {
    #[inline(always)]
    fn cell(&mut self, head: u64, cell: Word, _place: Place) -> bool {
        let owner = (cell.load() >> 32) as u32;
        if owner == 0 || owners::pintrace_rank(owner, 0, self.code, head, self.end) & owners::CANDIDATE == 0 {
            return false;
        }
        if owner & EXTENT_BIT == 0 {
            let other = equal(owner.into(), self.taken >> 32) ^ 1;
            count_unclear(owner, (self.taken & u64::from(PINS)) * other);
        } else if let Some(extent) = maps::EXTENTS.at(owner & !EXTENT_BIT) {
            mark(
                owner & !EXTENT_BIT,
                extent,
                Extent::PARTIALLY_RELEASED | Extent::AMBIGUOUS_OWNER,
            );
        }
        false
    }
}

/// Takes up to `pins` pins from a cell. Returns owner << 32 | flags | pins; 0 if the cell has changed.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_multi_owner_debit(head: u64, n: u32, index: u32, pins: u32) -> u64 {
    let (Some(first), Some(block)) = (Block::find(head, 0), Block::find(head, n)) else {
        return 0;
    };
    let cell = block.cell(index);
    let now = cell.load();
    let have = now as u32;
    let part = if pins < have { pins } else { have } & PINS;
    if part == 0 || !block.is_of(head) || !first.is_of(head) {
        return 0;
    }
    let last = part == have;
    if !cell.swap(now, if last { 0 } else { now - u64::from(part) }) {
        return 0;
    }
    let left = first.pins().fetch_sub(u64::from(part)) - u64::from(part);
    let emptied = left == 0 && first.pins().swap(0, OwnerBlock::DEAD);
    let flags = if last { LAST } else { 0 } | if emptied { ENTRY_DEAD } else { 0 };
    now >> 32 << 32 | flags | u64::from(part)
}
