//! The kind of holder to which kernel code belongs, by the ranges of code that user space finds in kallsyms.

use aya_ebpf::{macros::map, maps::Array};
use pintrace_common::{
    holder_kind::{CODE_RANGES, CodeRange, kind},
    reconcile::caller,
};

use crate::map_ref::{Lookup, get};

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
    let mut index = 0;
    let mut step = CODE_RANGES / 2;
    while step > 0 {
        let next = index + step;
        if let Some(range) = CODE_KINDS.at(next)
            && get!(range.start) <= address
        {
            index = next;
        }
        step /= 2;
    }
    match CODE_KINDS.at(index) {
        Some(range) if address != 0 => get!(range.kind),
        _ => kind::UNKNOWN,
    }
}
