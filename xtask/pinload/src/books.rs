//! The kernel's own books: the two pin counters of /proc/vmstat.
//!
//! The counters are per-CPU and fold lazily; writing to `stat_refresh` (root) folds them at once.

use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::failure::{Explain, Failure, Result};
use crate::pins::Pins;

const REFRESH: &str = "/proc/sys/vm/stat_refresh";
/// How long a release that ends in a work queue may take before the books are called different.
const PATIENCE: Duration = Duration::from_secs(5);

/// One exact reading of both counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Books {
    acquired: u64,
    released: u64,
}

impl Books {
    /// Folds the per-CPU parts and reads.
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

    /// Waits until nobody's release, left over in a work queue, moves the counters any more.
    pub(crate) fn quiet() -> Result<()> {
        let begun = Instant::now();
        let mut previous = Self::read()?;
        while begun.elapsed() < Duration::from_secs(1) {
            thread::sleep(Duration::from_millis(30));
            let now = Self::read()?;
            if now == previous {
                break;
            }
            previous = now;
        }
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

    /// What was counted from `self` to `later`.
    pub(crate) fn until(self, later: Self) -> Pins {
        let acquired = later.acquired.wrapping_sub(self.acquired);
        let released = later.released.wrapping_sub(self.released);
        Pins {
            acquired: Some(acquired),
            held: acquired.checked_sub(released),
            released: Some(released),
        }
    }

    /// As if `earlier` had not been counted yet.
    pub(crate) fn less(self, earlier: Pins) -> Self {
        Self {
            acquired: self.acquired.wrapping_sub(earlier.acquired.unwrap_or(0)),
            released: self.released.wrapping_sub(earlier.released.unwrap_or(0)),
        }
    }

    /// What was counted since `self`, read again until it agrees with `expected` or patience ends: a release
    /// by close or by exit ends in a work queue.
    pub(crate) fn settle(self, expected: Pins) -> Result<Pins> {
        let begun = Instant::now();
        let mut previous = None;
        loop {
            let counted = self.until(Self::read()?);
            let still = previous == Some(counted);
            if expected.agrees_with(counted) && (expected.is_known() || still) || begun.elapsed() > PATIENCE {
                return Ok(counted);
            }
            previous = Some(counted);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_among_others() {
        let books = Books::parse("nr_foo 3\nnr_foll_pin_acquired 512\nnr_foll_pin_released 12\n").unwrap();
        assert_eq!(
            books,
            Books {
                acquired: 512,
                released: 12
            }
        );
        assert_eq!(Books::parse("nr_foll_pin_acquired 512\n"), None);
    }

    #[test]
    fn a_difference_is_taken_counter_by_counter() {
        let earlier = Books {
            acquired: 100,
            released: 40,
        };
        let later = Books {
            acquired: 164,
            released: 41,
        };
        assert_eq!(earlier.until(later), Pins::lasting(Some(64), Some(63)));
    }
}
