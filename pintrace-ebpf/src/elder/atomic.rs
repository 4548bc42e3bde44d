//! Words in map values where BPF knows no atomic operation that gives a value, before 5.12. Adding is atomic
//! there too; the rest is exact only while the word's owner is locked ([`crate::locks`]).

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

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

    /// The value now.
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

    /// Adds. Relaxed, because the back end takes that for the instruction without a result.
    #[inline(always)]
    pub fn add(self, n: u64) {
        // SAFETY: by the contract of `at`.
        let _ = unsafe { atomic_xadd::<u64, u64, { Relaxed }>(self.0, n) };
    }

    /// Adds, and gives the value before.
    #[inline(always)]
    pub fn fetch_add(self, n: u64) -> u64 {
        let before = self.load();
        self.add(n);
        before
    }

    /// Subtracts.
    #[inline(always)]
    pub fn sub(self, n: u64) {
        self.add(n.wrapping_neg());
    }

    /// Subtracts, and gives the value before.
    #[inline(always)]
    pub fn fetch_sub(self, n: u64) -> u64 {
        self.fetch_add(n.wrapping_neg())
    }

    /// Replaces `old` by `new`; false if the value was another.
    #[inline(always)]
    pub fn swap(self, old: u64, new: u64) -> bool {
        if self.load() != old {
            return false;
        }
        self.store(new);
        true
    }
}
