//! What tests came out as: counts, read from libtest's closing lines, and the closing table.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// Counts of test results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestCounts {
    /// Tests that held.
    pub(crate) passed: u32,
    /// Tests that did not, runs that broke off included.
    pub(crate) failed: u32,
    /// Tests that were not run.
    pub(crate) skipped: u32,
}

impl TestCounts {
    /// One passed.
    pub(crate) const PASSED: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };
    /// One failed.
    pub(crate) const FAILED: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };

    /// Adds up libtest's closing lines (`test result: ok. 3 passed; 0 failed; 1 ignored; ...`); `None` when there is none.
    pub(crate) fn read(output: &str) -> Option<Self> {
        let lines = output.lines().filter_map(|line| line.split_once("test result: "));
        lines
            .map(|(_, counts)| Self::closing_line(counts))
            .reduce(|mut sum, counts| {
                sum += counts;
                sum
            })
    }

    /// What a test program came out as, by its output and by whether it said that all was well.
    pub(crate) fn of_run(output: &str, success: bool) -> Self {
        match Self::read(output) {
            Some(counts) if success || counts.failed > 0 => counts,
            Some(counts) => Self { failed: 1, ..counts },
            None => Self::FAILED,
        }
    }

    /// Counts the tests that passed because they saw that they cannot be run here, and said so
    /// (`skipped: NAME: why`), as what they are.
    pub(crate) fn without_skipped(self, output: &str) -> Self {
        let said = output
            .lines()
            .filter(|line| line.starts_with("skipped: "))
            .count();
        let said = u32::try_from(said).unwrap_or(u32::MAX).min(self.passed);
        Self {
            passed: self.passed - said,
            skipped: self.skipped + said,
            ..self
        }
    }

    fn closing_line(counts: &str) -> Self {
        let count = |name: &str| {
            let part = counts
                .split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(name));
            part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        Self {
            passed: count("passed"),
            failed: count("failed"),
            skipped: count("ignored"),
        }
    }
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

/// Results by part, for the closing table.
#[derive(Default)]
pub(crate) struct ResultTable {
    rows: Vec<(String, TestCounts, Duration)>,
}

impl ResultTable {
    /// Adds a part's result.
    pub(crate) fn add(&mut self, part: &str, counts: TestCounts, time: Duration) {
        self.rows.push((part.to_owned(), counts, time));
    }

    /// Everything together.
    pub(crate) fn total(&self) -> TestCounts {
        self.rows
            .iter()
            .fold(TestCounts::default(), |mut sum, (_, counts, _)| {
                sum += *counts;
                sum
            })
    }
}

/// The table, whose last line is the total.
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

    const TWO: &str = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
                       test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";

    #[test]
    fn closing_lines_are_added_up() {
        assert_eq!(
            TestCounts::read(TWO),
            Some(TestCounts {
                passed: 5,
                failed: 1,
                skipped: 1
            })
        );
        assert_eq!(TestCounts::read("no closing line"), None);
    }

    #[test]
    fn a_test_that_says_it_was_skipped_has_not_passed() {
        let output = "left out: this\nskipped: one: no memory\nnot skipped: two\n";
        let counts = TestCounts {
            passed: 3,
            ..TestCounts::FAILED
        };
        let told = counts.without_skipped(output);
        assert_eq!((told.passed, told.failed, told.skipped), (2, 1, 1));
        assert_eq!(TestCounts::FAILED.without_skipped(output), TestCounts::FAILED);
    }

    #[test]
    fn a_run_that_breaks_off_is_a_failure() {
        assert_eq!(TestCounts::of_run("", true), TestCounts::FAILED);
        let line = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured";
        assert_eq!(
            TestCounts::of_run(line, false),
            TestCounts {
                passed: 3,
                failed: 1,
                skipped: 0
            }
        );
        assert_eq!(
            TestCounts::of_run(line, true),
            TestCounts {
                passed: 3,
                failed: 0,
                skipped: 0
            }
        );
    }

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
