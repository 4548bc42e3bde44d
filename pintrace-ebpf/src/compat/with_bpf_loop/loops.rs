//! Loops by `bpf_loop`, which kernels have since 5.17: the verifier follows the body to a fixed point.

use core::ffi::c_void;

use aya_ebpf::{bindings::BPF_F_NO_PREALLOC, helpers::generated::bpf_loop};

use crate::ledger::walk::{self, Visitor, Walk};

/// Hashes take their memory when they need it.
pub const ON_DEMAND: u32 = BPF_F_NO_PREALLOC;
/// Attempts at a cell that is shared or under change; each failure means that somebody else succeeded.
pub const ATTEMPTS: u32 = 16;
/// Pages of one call that can be walked (`BPF_MAX_LOOPS`, kernel/bpf/bpf_iter.c).
pub const MOST_PAGES: u64 = 8 << 20;

/// The same number. Older verifiers need more ([`crate::maps::Zeros`] does for these).
#[inline(always)]
pub fn opaque(number: u64) -> u64 {
    number
}

/// Calls `body` with 0, 1, and so on below `TURNS`, until it gives something other than 0.
#[inline(always)]
pub fn repeat<const ITERATIONS: u32, S>(body: extern "C" fn(u32, *mut S) -> i64, state: &mut S) {
    // SAFETY: the callback takes the state it is given, which outlives the call.
    unsafe { bpf_loop(ITERATIONS, body as *mut c_void, (&raw mut *state).cast(), 0) };
}

/// Walks `iterations` pages.
#[inline(always)]
pub fn over_pages<V: Visitor>(walk: &mut Walk<V>, iterations: u64) {
    // SAFETY: as above.
    unsafe {
        bpf_loop(
            iterations as u32,
            step::<V> as *mut c_void,
            (&raw mut *walk).cast(),
            0,
        )
    };
}

extern "C" fn step<V: Visitor>(index: u32, walk: *mut Walk<V>) -> i64 {
    // SAFETY: bpf_loop hands back the pointer that `over_pages` gave it.
    walk::step(unsafe { &mut *walk }, u64::from(index));
    0
}

/// What walks the pages for a visitor: nothing that it has to name here.
pub trait Paged {}

impl<T> Paged for T {}
