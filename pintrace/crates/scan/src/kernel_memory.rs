//! Reads of kernel memory. The running kernel changes its memory during the reads, and takes no lock for them. So each
//! value may be stale or no longer what the type says, and each reader bounds what it follows.

/// Kernel memory: the memory of the running kernel, or of a test.
pub trait KernelMemory {
    /// Returns `count` words from an address. `None` if one of the words cannot be read.
    fn words(&self, address: u64, count: usize) -> Option<Vec<u64>>;

    /// Returns the word at an address. `None` if the word cannot be read.
    fn word(&self, address: u64) -> Option<u64> {
        self.words(address, 1)?.first().copied()
    }

    /// Returns the u32 at an address. `None` if the word from the address on cannot be read.
    fn half(&self, address: u64) -> Option<u32> {
        self.word(address).map(low_half)
    }

    /// Returns the pointer at an address. `None` for a null pointer.
    fn pointer(&self, address: u64) -> Option<u64> {
        self.word(address).filter(|pointer| *pointer != 0)
    }
}

/// Returns the lower 32 bits of a word.
pub fn low_half(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Memory of a test: words by address. All other addresses cannot be read.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct FakeMemory(pub(crate) BTreeMap<u64, u64>);

    impl FakeMemory {
        /// Sets consecutive words.
        pub(crate) fn set(&mut self, address: u64, words: &[u64]) {
            self.0.extend((address..).step_by(8).zip(words.iter().copied()));
        }
    }

    impl KernelMemory for FakeMemory {
        fn words(&self, address: u64, count: usize) -> Option<Vec<u64>> {
            let words = (address..).step_by(8).take(count);
            words
                .map(|at| match at & 7 {
                    0 => self.0.get(&at).copied(),
                    // A misaligned read of a u32 in the upper half of a word.
                    offset => Some(self.0.get(&(at & !7))? >> (offset * 8)),
                })
                .collect()
        }
    }
}
