//! Atomic words in map values.
//!
//! The BPF target declares no read-modify-write, so core's `AtomicU64` has only load and store there. `Word` wraps the
//! compiler's intrinsics. Operations that return a value depend on the kernel and are in `exchange.rs`.

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

    /// Returns the value by a plain aligned load. The BPF back end has no atomic load, and needs none.
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

    /// Adds `n`. The ordering is relaxed, for which the back end chooses the cheaper instruction without a result.
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
