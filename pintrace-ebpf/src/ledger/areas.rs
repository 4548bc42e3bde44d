//! Areas: the parts of one pin call whose pages belong to different files, or to no file.
//!
//! One buffer may cover several mappings. Each area becomes an extent of its own, because a change of a file concerns
//! the pages of that file only. The walk over the pages of a call sees where an area ends. A call has at most
//! [`loops::AREAS`] areas. The pages after the last area are counted in the extent of that area, and the extent is
//! marked [`Extent::AREAS_UNKNOWN`].

use core::arch::asm;

use pintrace_common::{
    counters::Total,
    ledger::{EXTENT_BIT, Extent},
};

use crate::map_ref::{Lookup, get, set};
use crate::{
    compat::loops,
    count,
    folio::{self, Folio},
    kernel,
    ledger::{accounts, extents, owners, partial_release::mark, walk::First},
    maps,
};

/// The part of a call that a walk is in, as one number: owner | index of the first entry << 32 | number of areas
/// before << 56. The walk's state is short, because the stack of a call chain has 512 bytes.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Part(u64);

impl Part {
    /// Returns the first part of a call.
    #[inline(always)]
    pub fn first(owner: u32) -> Self {
        Self(u64::from(owner))
    }

    /// Returns the owner of the pins.
    #[inline(always)]
    pub fn owner(self) -> u32 {
        self.0 as u32
    }

    /// Returns the index of the first entry.
    #[inline(always)]
    pub fn start(self) -> u64 {
        self.0 >> 32 & 0xff_ffff
    }

    /// Returns the number of areas of the call before the part.
    #[inline(always)]
    fn areas_before(self) -> u64 {
        self.0 >> 56
    }
}

const _: () = assert!(loops::MOST_PAGES <= 0xff_ffff && loops::AREAS < 256);

/// In the account of a walk: the last page of the walk belongs to no file, and the present part contains the page. So a next
/// page without a file belongs to the same part.
pub const NO_FILE_AREA: u64 = 1 << 32;

/// Returns the part that a page belongs to: the same part if the page belongs to the same area, if the part has no area, or
/// if the call has too many areas; else a part with a new extent.
#[inline(always)]
pub fn of(part: Part, first: First) -> Part {
    if part.owner() & EXTENT_BIT == 0 {
        return part;
    }
    Part(pintrace_area_of(
        part.0,
        first.address(),
        first.index,
        first.folio.0,
        first.page,
    ))
}

/// Does the work of [`of`]. `entry` is the address of the entry in pages[]. The function is global, so that its variables
/// are on no longer chain of calls.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_area_of(part: u64, entry: u64, index: u64, folio: u64, page: u64) -> u64 {
    // With one area the entry is not used, the compiler would leave its register undefined, and 5.10 refuses the call.
    // SAFETY: a register move.
    unsafe { asm!("{0} = {0}", inout(reg) entry => _, options(nomem, nostack, preserves_flags)) };
    let same = part;
    let part = Part(part);
    let Some(extent) = maps::EXTENTS.at(part.owner() & !EXTENT_BIT) else {
        return same;
    };
    // The entries of a call on a memfd (no mm) are folios of one file.
    if get!(extent.mm) == 0 || get!(extent.flags) & Extent::AREAS_UNKNOWN != 0 {
        return same;
    }
    let (file, offset) = folio::file_of(Folio(folio), page);
    let before = get!(extent.end) - get!(extent.address) + ((index - part.start()) << 12);
    if file == get!(extent.address_space) && (file == 0 || offset == get!(extent.file_offset) + before) {
        return same;
    }
    if part.areas_before() + 1 >= loops::AREAS {
        mark(part.owner() & !EXTENT_BIT, extent, Extent::AREAS_UNKNOWN);
        return same;
    }
    pintrace_next_area(same, entry, index)
}

/// Opens an extent for the area that begins with an entry. `entry` is the address of the entry in pages[].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_next_area(part: u64, entry: u64, index: u64) -> u64 {
    let part = Part(part);
    let before = part.owner() & !EXTENT_BIT;
    // The extent cannot close before `pintrace_part_end`.
    let Some(extent) = maps::EXTENTS.at(before) else {
        return part.0;
    };
    let (account, flags, stack) = (get!(extent.account), get!(extent.flags), get!(extent.stack));
    let address = get!(extent.end) + ((index - part.start()) << 12);
    let number = extents::pintrace_extent_open(account, address, flags & !Extent::INEXACT_MARKS, stack);
    let owner = if number == 0 {
        // The table is full. The account owns the rest of the call.
        account
    } else {
        extents::pintrace_extent_locate((number - 1) as u32, get!(extent.mm), entry);
        (number - 1) as u32 | EXTENT_BIT
    };
    set!(extent.next_area = number as u32);
    u64::from(owner) | index << 32 | (part.areas_before() + 1) << 56
}

/// Adds a part of a call to the counts of its account and its owner. `owners` is the account << 32 | the owner, `last` the
/// address of the part's last entry in pages[], `span` the number of bytes that the part covers, `counts` the number of
/// pages with a pin << 32 | the number of these pages that the folio table records under the owner, `bytes` the size of
/// the folios on which the owner had no pin before. Returns 0, which the verifier does not know.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_part_end(owners: u64, last: u64, span: u64, counts: u64, bytes: u64) -> u64 {
    let (account, owner) = ((owners >> 32) as u32, owners as u32);
    let (pins, kept) = (counts >> 32, counts & 0xffff_ffff);
    count::total(Total::Acquired, pins);
    accounts::credit(account, pins);
    if bytes != 0 {
        owners::keep_bytes(owner, bytes);
    }
    if owner & EXTENT_BIT != 0 {
        extents::set_last_page(owner, kernel::u64_at(last));
        extents::pintrace_extent_finish(owner, span, pins, kept);
    }
    0
}
