//! Changes of a word that give a value back, where BPF has no instruction for them, before 5.12: exact only while the
//! word's owner is locked ([`crate::compat::locks`]).

use crate::atomic::Word;

impl Word {
    /// Adds, and gives the value before.
    #[inline(always)]
    pub fn fetch_add(self, n: u64) -> u64 {
        let before = self.load();
        self.add(n);
        before
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
