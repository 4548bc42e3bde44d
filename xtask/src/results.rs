//! Counts of test results, and the closing table.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// Counts of test results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestCounts {
    /// Tests that passed.
    pub(crate) passed: u32,
    /// Tests that failed, and test runs that ended early.
    pub(crate) failed: u32,
    /// Tests that did not run.
    pub(crate) skipped: u32,
}

impl TestCounts {
    /// One passed test.
    pub(crate) const PASSED: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };
    /// One failed test.
    pub(crate) const FAILED: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };
}

impl AddAssign for TestCounts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for TestCounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// The closing table: one row of results for each part.
#[derive(Default)]
pub(crate) struct ResultTable {
    rows: Vec<(String, TestCounts, Duration)>,
}

impl ResultTable {
    /// Adds a row.
    pub(crate) fn add(&mut self, part: &str, counts: TestCounts, time: Duration) {
        self.rows.push((part.to_owned(), counts, time));
    }

    /// Returns the sum of all rows.
    pub(crate) fn total(&self) -> TestCounts {
        self.rows
            .iter()
            .fold(TestCounts::default(), |mut sum, (_, counts, _)| {
                sum += *counts;
                sum
            })
    }
}

/// The last line is the total.
impl fmt::Display for ResultTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "\n{:<24}{:>8}{:>8}{:>8}{:>8}",
            "", "passed", "failed", "skipped", "seconds"
        )?;
        for (part, counts, time) in &self.rows {
            let TestCounts {
                passed,
                failed,
                skipped,
            } = counts;
            writeln!(
                formatter,
                "{part:<24}{passed:>8}{failed:>8}{skipped:>8}{:>8}",
                time.as_secs()
            )?;
        }
        write!(formatter, "\n{}", self.total())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_total() {
        let mut table = ResultTable::default();
        table.add(
            "host",
            TestCounts {
                passed: 2,
                failed: 0,
                skipped: 1,
            },
            Duration::from_secs(3),
        );
        table.add("6.12", TestCounts::FAILED, Duration::from_secs(4));
        assert_eq!(
            table.to_string().lines().last(),
            Some("2 passed, 1 failed, 1 skipped")
        );
    }
}
