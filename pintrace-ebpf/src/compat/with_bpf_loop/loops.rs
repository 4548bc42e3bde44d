//! Loops by `bpf_loop`, which kernels have since 5.17: the verifier follows the body to a fixed point.

use core::ffi::c_void;

use aya_ebpf::{bindings::BPF_F_NO_PREALLOC, helpers::generated::bpf_loop};

use crate::facts::FACTS;
use crate::ledger::walk::{self, Visitor, Walk};

/// Hash maps allocate memory on demand.
pub const HASH_FLAGS: u32 = BPF_F_NO_PREALLOC;
/// Attempts at a cell that is shared or changes meanwhile. Each failure means that another CPU changed the cell.
pub const ATTEMPTS: u32 = 16;
/// Maximum number of blocks of owners of one folio, each of 13 owners.
pub const OWNER_BLOCKS: u32 = 128;
/// Maximum number of areas of one call that get an extent each.
pub const AREAS: u64 = 16;
/// Maximum number of pages of one call that can be walked (`BPF_MAX_LOOPS`, kernel/bpf/bpf_iter.c).
pub const MOST_PAGES: u64 = 8 << 20;

/// Returns the number. For older verifiers the function hides the value, but [`crate::unknown_zero`] is enough here.
#[inline(always)]
pub fn opaque(number: u64) -> u64 {
    number
}

/// Calls `body` with 0, 1, and so on below `ITERATIONS`, until the result is not 0.
#[inline(always)]
pub fn repeat<const ITERATIONS: u32, S>(body: extern "C" fn(u32, *mut S) -> i64, state: &mut S) {
    // SAFETY: the callback takes the state that is passed here, and the state outlives the call.
    unsafe { bpf_loop(ITERATIONS, body as *mut c_void, (&raw mut *state).cast(), 0) };
}

/// Walks `iterations` pages.
#[inline(always)]
pub fn over_pages<V: Visitor>(walk: &mut Walk<V>, iterations: u64) {
    // The verifier follows only the loop that the kernel takes.
    if FACTS.plain_pages() != 0 {
        // SAFETY: as above.
        unsafe {
            bpf_loop(
                iterations as u32,
                step::<V, true> as *mut c_void,
                (&raw mut *walk).cast(),
                0,
            )
        };
    } else {
        // SAFETY: as above.
        unsafe {
            bpf_loop(
                iterations as u32,
                step::<V, false> as *mut c_void,
                (&raw mut *walk).cast(),
                0,
            )
        };
    }
}

extern "C" fn step<V: Visitor, const SHORT: bool>(index: u32, walk: *mut Walk<V>) -> i64 {
    // SAFETY: bpf_loop passes on the pointer from `over_pages`.
    walk::step::<V, SHORT>(unsafe { &mut *walk }, u64::from(index));
    0
}

/// Marks visitors whose pages can be walked. With `bpf_loop` that is every type.
pub trait Paged {}

impl<T> Paged for T {}
