//! The two pin counters of /proc/vmstat.
//!
//! The counters are per CPU and are folded lazily. A write to `stat_refresh` (root) folds the counters at once.

use std::fs;
use std::time::Duration;

use crate::failure::{Explain, Failure, Result};
use crate::pins::PinCounts;
use crate::wait::wait_for;

const REFRESH: &str = "/proc/sys/vm/stat_refresh";
/// Time limit for a release in a work queue. After the limit, the counters count as different.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// One exact reading of both counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PinCounters {
    acquired: u64,
    released: u64,
}

impl PinCounters {
    /// Folds the per-CPU counters and reads the sums.
    pub(crate) fn read() -> Result<Self> {
        fs::write(REFRESH, "1").unavailable(&format!("cannot write {REFRESH}"), "run as root")?;
        let text = fs::read_to_string("/proc/vmstat").failing("cannot read /proc/vmstat", "mount /proc")?;
        Self::parse(&text).ok_or_else(|| {
            Failure::unavailable(
                "/proc/vmstat has no nr_foll_pin counters",
                "use a kernel of 5.10 or later",
            )
        })
    }

    /// Waits until no delayed release in a work queue changes the counters.
    pub(crate) fn wait_until_stable() -> Result<()> {
        let mut previous = None;
        wait_for(Duration::from_secs(1), Duration::from_millis(30), || {
            let now = Some(Self::read()?);
            Ok(std::mem::replace(&mut previous, now) == now)
        })?;
        Ok(())
    }

    fn parse(vmstat: &str) -> Option<Self> {
        let value = |name: &str| {
            vmstat
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
        };
        Some(Self {
            acquired: value("nr_foll_pin_acquired")?,
            released: value("nr_foll_pin_released")?,
        })
    }

    /// Returns the counts between `self` and `later`.
    pub(crate) fn difference_to(self, later: Self) -> PinCounts {
        let acquired = later.acquired.wrapping_sub(self.acquired);
        let released = later.released.wrapping_sub(self.released);
        PinCounts {
            acquired: Some(acquired),
            held: acquired.checked_sub(released),
            released: Some(released),
        }
    }

    /// Returns the counters without the counts of `earlier`.
    pub(crate) fn minus(self, earlier: PinCounts) -> Self {
        Self {
            acquired: self.acquired.wrapping_sub(earlier.acquired.unwrap_or(0)),
            released: self.released.wrapping_sub(earlier.released.unwrap_or(0)),
        }
    }

    /// Reads the counts since `self` until they agree with `expected` or the time limit is reached, because a release
    /// by close or by exit ends in a work queue.
    pub(crate) fn settle(self, expected: PinCounts) -> Result<PinCounts> {
        let mut counted = PinCounts::default();
        let mut previous = None;
        wait_for(SETTLE_LIMIT, Duration::from_millis(10), || {
            counted = self.difference_to(Self::read()?);
            let stable = previous.replace(counted) == Some(counted);
            Ok(expected.agrees_with(counted) && (expected.is_known() || stable))
        })?;
        Ok(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_among_others() {
        let vmstat =
            PinCounters::parse("nr_foo 3\nnr_foll_pin_acquired 512\nnr_foll_pin_released 12\n").unwrap();
        assert_eq!(
            vmstat,
            PinCounters {
                acquired: 512,
                released: 12
            }
        );
        assert_eq!(PinCounters::parse("nr_foll_pin_acquired 512\n"), None);
    }

    #[test]
    fn a_difference_is_taken_counter_by_counter() {
        let earlier = PinCounters {
            acquired: 100,
            released: 40,
        };
        let later = PinCounters {
            acquired: 164,
            released: 41,
        };
        assert_eq!(
            earlier.difference_to(later),
            PinCounts::lasting(Some(64), Some(63))
        );
    }
}
