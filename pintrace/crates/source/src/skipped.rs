//! Calls that the kernel skipped because the program was already active on that CPU
//! (`bpf_prog_inc_misses_counter`), and that no backup program made good.

/// Counts them over time.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    /// What backup programs had made good more than was skipped before counting began: those that were attached before the
    /// first copies found no marks.
    ahead: i128,
    /// Skipped and not made good when last read.
    last: u64,
    confirmed: u64,
}

impl Skipped {
    /// From what had been skipped and made good when counting began.
    pub(super) fn since(skipped: u64, recovered_by_backup: u64) -> Self {
        Self {
            ahead: i128::from(recovered_by_backup) - i128::from(skipped),
            ..Self::default()
        }
    }

    /// Takes a reading: calls skipped in the first copies, and calls that backup programs made good, read
    /// after it. Gives what is lost for certain.
    ///
    /// A thread may be between the copies just now: skipped, and not yet made good. So only what two readings
    /// in a row find missing is lost; and the figure never goes back.
    pub(super) fn read(&mut self, skipped: u64, recovered_by_backup: u64) -> u64 {
        let now = i128::from(skipped) - i128::from(recovered_by_backup) + self.ahead;
        let now = u64::try_from(now).unwrap_or(0);
        self.confirmed = self.confirmed.max(self.last.min(now));
        self.last = now;
        self.confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_between_primary_and_backup_is_not_lost() {
        let mut skipped = Skipped::default();
        assert_eq!(skipped.read(1, 0), 0);
        assert_eq!(skipped.read(1, 1), 0);
        assert_eq!(skipped.read(3, 2), 0);
        assert_eq!(skipped.read(4, 4), 0);
    }

    #[test]
    fn skips_before_counting_began_hide_nothing() {
        let mut skipped = Skipped::since(3, 14);
        assert_eq!(skipped.read(8, 18), 0);
        assert_eq!(skipped.read(8, 18), 1);
        let mut skipped = Skipped::since(5, 1);
        assert_eq!(skipped.read(5, 1), 0);
        assert_eq!(skipped.read(5, 1), 0);
    }

    #[test]
    fn calls_that_stay_missing_are_lost() {
        let mut skipped = Skipped::default();
        assert_eq!(skipped.read(5, 3), 0);
        assert_eq!(skipped.read(9, 7), 2);
        assert_eq!(skipped.read(9, 9), 2);
    }
}
