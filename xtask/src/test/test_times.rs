//! Durations of the tests in a guest, from the times at which their results arrive.

use std::fmt;
use std::time::{Duration, Instant};

/// Number of tests that are printed after a run.
const PRINTED: usize = 8;

/// The durations of the tests of one run, which runs one test at a time.
pub(super) struct TestTimes {
    /// The time of the line before the next result.
    since: Instant,
    tests: Vec<(Duration, String)>,
}

impl TestTimes {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            since: now,
            tests: Vec::new(),
        }
    }

    /// Reads a line of libtest's output that arrived at `now`.
    pub(super) fn line(&mut self, line: &str, now: Instant) {
        let is_begin = line.starts_with("running ");
        let name = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ... "));
        if let Some((name, _)) = name {
            self.tests.push((now.duration_since(self.since), name.to_owned()));
        }
        if is_begin || name.is_some() {
            self.since = now;
        }
    }
}

/// The tests that took longest, and their part of the whole.
impl fmt::Display for TestTimes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum: Duration = self.tests.iter().map(|(time, _)| *time).sum();
        let mut slowest: Vec<_> = self.tests.iter().collect();
        slowest.sort_by(|one, other| other.cmp(one));
        write!(
            formatter,
            "{} tests in {} s; slowest:",
            self.tests.len(),
            sum.as_secs()
        )?;
        for (time, name) in slowest.into_iter().take(PRINTED) {
            write!(formatter, "\n{:>6} s  {name}", time.as_secs())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_takes_the_time_since_the_result_before() {
        let begin = Instant::now();
        let mut times = TestTimes::new(begin);
        let lines = [
            (50, "running 2 tests"),
            (53, "test findings::quick ... ok"),
            (53, "a line of the kernel"),
            (64, "test findings::slow ... FAILED"),
            (90, "test result: FAILED. 1 passed; 1 failed"),
        ];
        for (seconds, line) in lines {
            times.line(line, begin + Duration::from_secs(seconds));
        }
        assert_eq!(
            times.to_string(),
            "2 tests in 14 s; slowest:\n    11 s  findings::slow\n     3 s  findings::quick"
        );
    }
}
