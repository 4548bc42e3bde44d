//! Operations that return a value, for kernels before 5.12, whose BPF has no such atomic instruction. The operations
//! are exact only while the object of the word is locked ([`crate::compat::locks`]).

use crate::atomic::Word;

/// Words are exchanged under a lock.
pub const WITHOUT_LOCK: bool = false;

impl Word {
    /// Adds `n` and returns the old value.
    #[inline(always)]
    pub fn fetch_add(self, n: u64) -> u64 {
        let before = self.load();
        self.add(n);
        before
    }

    /// Subtracts `n` and returns the old value.
    #[inline(always)]
    pub fn fetch_sub(self, n: u64) -> u64 {
        self.fetch_add(n.wrapping_neg())
    }

    /// Replaces `old` by `new`. Returns false if the value was not `old`.
    #[inline(always)]
    pub fn swap(self, old: u64, new: u64) -> bool {
        if self.load() != old {
            return false;
        }
        self.store(new);
        true
    }
}
