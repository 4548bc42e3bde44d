//! Atomic operations that return a value, by the instructions that kernels have since 5.12 (`BPF_ATOMIC`).

use core::intrinsics::{AtomicOrdering::SeqCst, atomic_cxchg, atomic_xadd, atomic_xsub};

use crate::atomic::Word;

/// Words are exchanged by one instruction.
pub const WITHOUT_LOCK: bool = true;

impl Word {
    /// Adds `n` and returns the old value.
    #[inline(always)]
    pub fn fetch_add(self, n: u64) -> u64 {
        // SAFETY: by the contract of `at`.
        unsafe { atomic_xadd::<u64, u64, { SeqCst }>(self.0, n) }
    }

    /// Subtracts `n` and returns the old value.
    #[inline(always)]
    pub fn fetch_sub(self, n: u64) -> u64 {
        // SAFETY: by the contract of `at`.
        unsafe { atomic_xsub::<u64, u64, { SeqCst }>(self.0, n) }
    }

    /// Replaces `old` by `new`. Returns false if the value was not `old`.
    #[inline(always)]
    pub fn swap(self, old: u64, new: u64) -> bool {
        // SAFETY: by the contract of `at`.
        unsafe { atomic_cxchg::<u64, { SeqCst }, { SeqCst }>(self.0, old, new).1 }
    }
}
