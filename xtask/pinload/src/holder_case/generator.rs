//! Random numbers that a seed determines, so that a run can be repeated.

/// A generator of 64-bit numbers: xorshift64* (Marsaglia, Vigna). Each state but 0 occurs once in a period of 2^64 - 1.
#[derive(Debug)]
pub(super) struct Generator(u64);

impl Generator {
    /// Returns the generator of a seed. Seeds that are close give sequences that are not.
    pub(super) const fn new(seed: u64) -> Self {
        // The factor is odd, so that different seeds give different states.
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
        Self(if state == 0 { 1 } else { state })
    }

    /// Returns a number less than `bound`, which is not 0.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        // The high bits are the better ones. The remainder is uneven by less than bound / 2^32.
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % bound
    }

    /// Returns one of the items; `None` if there is none.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        let count = u64::try_from(items.len()).ok().filter(|&count| count > 0)?;
        let index = usize::try_from(self.below(count)).ok()?;
        items.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        let numbers = |seed| {
            let mut generator = Generator::new(seed);
            (0..100).map(|_| generator.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
    }

    #[test]
    fn each_item_is_picked() {
        let mut generator = Generator::new(7);
        let mut picked: Vec<_> = (0..100).filter_map(|_| generator.pick(&[3, 4, 5])).collect();
        picked.sort_unstable();
        picked.dedup();
        assert_eq!(picked, [3, 4, 5]);
        assert_eq!(generator.pick::<u8>(&[]), None);
    }
}
