//! Atomic words in map values.
//!
//! rustc's BPF target sets `atomic_cas: false`, so core's `AtomicU64` has only load and store there. [`Word`] wraps the
//! compiler's intrinsics. Read-modify-write operations that return the old value (BPF_FETCH, BPF_CMPXCHG) depend on the
//! kernel and are in `compat/*/exchange.rs`.

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

/// A word that CPUs and interrupts change at the same time.
#[derive(Clone, Copy)]
pub struct Word(pub(crate) *mut u64);

impl Word {
    /// # Safety
    ///
    /// `word` is aligned, inside a map value, and alive while the program runs.
    #[inline(always)]
    pub unsafe fn at(word: *mut u64) -> Self {
        Self(word)
    }

    /// Returns the value by a volatile load, as READ_ONCE() does, and not by the load of `AtomicU64`: LLVM's BPF back end
    /// has no atomic load, and a load of an aligned word is one instruction anyway.
    #[inline(always)]
    pub fn load(self) -> u64 {
        // SAFETY: by the contract of `at`.
        unsafe { core::ptr::read_volatile(self.0) }
    }

    /// Replaces the value.
    #[inline(always)]
    pub fn store(self, value: u64) {
        // SAFETY: by the contract of `at`.
        unsafe { core::ptr::write_volatile(self.0, value) }
    }

    /// Adds `n`. The ordering is relaxed and the result unused, so that LLVM emits BPF_ADD without BPF_FETCH, the only form
    /// before 5.12.
    #[inline(always)]
    pub fn add(self, n: u64) {
        // SAFETY: by the contract of `at`.
        let _ = unsafe { atomic_xadd::<u64, u64, { Relaxed }>(self.0, n) };
    }

    /// Subtracts `n`.
    #[inline(always)]
    pub fn sub(self, n: u64) {
        self.add(n.wrapping_neg());
    }
}
