//! Missed calls: the kernel skipped the primary program because the program was already active on that CPU
//! (`bpf_prog_inc_misses_counter`), and no backup program counted the call.

/// Counts missed calls over time.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    /// Calls recovered by backups less calls skipped, before counting began. The number is positive if backups were
    /// attached before the primaries: such backups found no token.
    ahead: i128,
    /// Calls skipped and not recovered at the last reading.
    last: u64,
    confirmed: u64,
}

impl Skipped {
    /// Starts from the calls that were skipped and recovered before counting began.
    pub(super) fn since(skipped: u64, recovered_by_backup: u64) -> Self {
        Self {
            ahead: i128::from(recovered_by_backup) - i128::from(skipped),
            ..Self::default()
        }
    }

    /// Takes a reading: the calls that the kernel skipped in primary programs, and the calls that backups recovered,
    /// read in this order. Returns the number of calls that are certainly lost; the number never decreases.
    ///
    /// A thread may be between primary and backup at a reading: the call is skipped and not yet recovered. Therefore a
    /// call counts as lost only if two readings in a row find the call missing.
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
    fn a_call_between_primary_and_backup_is_not_lost() {
        let mut skipped = Skipped::default();
        assert_eq!(skipped.read(1, 0), 0);
        assert_eq!(skipped.read(1, 1), 0);
        assert_eq!(skipped.read(3, 2), 0);
        assert_eq!(skipped.read(4, 4), 0);
    }

    #[test]
    fn calls_skipped_before_counting_began_change_no_later_reading() {
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
