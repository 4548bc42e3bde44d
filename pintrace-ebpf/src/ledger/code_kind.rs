//! The kind of holder to which kernel code belongs, by the ranges of code that user space finds in kallsyms.

use aya_ebpf::{macros::map, maps::Array};
use pintrace_common::{
    holder_kind::{CODE_RANGES, CodeRange, kind},
    reconcile::caller,
};

use crate::map_ref::{Lookup, get};
use crate::{compat::loops, unknown_zero::unknown_zero};

/// The beginnings of ranges, by address. The first begins at 0; unused entries begin at the end of the address space.
#[map]
static CODE_KINDS: Array<CodeRange> = Array::with_max_entries(CODE_RANGES, 0);

/// Returns the kind of the code at an address, or the kind of a scanned account. Without kallsyms every kind is
/// unknown. The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_code_kind(address: u64) -> u64 {
    if caller::origin(address).is_some() {
        return caller::holder(address);
    }
    let mut search = Search {
        address,
        index: unknown_zero(),
        step: unknown_zero() + u64::from(CODE_RANGES / 2),
    };
    loops::repeat::<{ CODE_RANGES.trailing_zeros() }, _>(halve, &mut search);
    match CODE_KINDS.at(search.index as u32) {
        Some(range) if address != 0 => get!(range.kind),
        _ => kind::UNKNOWN,
    }
}

/// State of a binary search. The verifier follows a loop over this state once.
struct Search {
    address: u64,
    /// The last range known to begin at or before the address.
    index: u64,
    /// Distance to the next range to compare.
    step: u64,
}

extern "C" fn halve(_index: u32, search: *mut Search) -> i64 {
    // SAFETY: the loop passes the state on.
    let search = unsafe { &mut *search };
    let next = search.index + search.step;
    if let Some(range) = CODE_KINDS.at(next as u32)
        && get!(range.start) <= search.address
    {
        search.index = loops::opaque(next);
    }
    search.step = loops::opaque(search.step / 2);
    0
}
