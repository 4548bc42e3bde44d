//! Atomic words in map values.
//!
//! The BPF target declares no compare-and-swap, so core's `AtomicU64` has only load and store there;
//! every kernel since 5.12 has the instructions (`BPF_ATOMIC`). This wraps the compiler's intrinsics.

use core::intrinsics::{
    AtomicOrdering::{Relaxed, SeqCst},
    atomic_cxchg, atomic_xadd, atomic_xsub,
};

/// A word that CPUs and interrupts change at the same time.
#[derive(Clone, Copy)]
pub struct Word(*mut u64);

impl Word {
    /// # Safety
    ///
    /// `word` is aligned, inside a map value, and alive while the program runs.
    #[inline(always)]
    pub unsafe fn at(word: *mut u64) -> Self {
        Self(word)
    }

    /// The value now. (A plain aligned load: the BPF back end has no atomic one, and needs none.)
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

    /// Adds. Relaxed, because the back end takes that for the cheaper instruction without a result.
    #[inline(always)]
    pub fn add(self, n: u64) {
        // SAFETY: by the contract of `at`.
        let _ = unsafe { atomic_xadd::<u64, u64, { Relaxed }>(self.0, n) };
    }

    /// Adds, and gives the value before.
    #[inline(always)]
    pub fn fetch_add(self, n: u64) -> u64 {
        // SAFETY: by the contract of `at`.
        unsafe { atomic_xadd::<u64, u64, { SeqCst }>(self.0, n) }
    }

    /// Subtracts.
    #[inline(always)]
    pub fn sub(self, n: u64) {
        self.add(n.wrapping_neg());
    }

    /// Subtracts, and gives the value before.
    #[inline(always)]
    pub fn fetch_sub(self, n: u64) -> u64 {
        // SAFETY: by the contract of `at`.
        unsafe { atomic_xsub::<u64, u64, { SeqCst }>(self.0, n) }
    }

    /// Replaces `old` by `new`; false if the value was another.
    #[inline(always)]
    pub fn swap(self, old: u64, new: u64) -> bool {
        // SAFETY: by the contract of `at`.
        unsafe { atomic_cxchg::<u64, { SeqCst }, { SeqCst }>(self.0, old, new).1 }
    }
}
