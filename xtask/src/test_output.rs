//! Counts test results in the output of test programs that run with `--show-output`.
//!
//! A test that cannot run on this machine or kernel prints `skipped: NAME: reason` and returns, so libtest counts the
//! test as passed. libtest captures the line, and prints captured lines only with `--show-output`. All test programs,
//! on this machine and in guests, therefore run with `--show-output`, and this file is the only place that counts
//! skipped tests. A test that leaves out a part and runs the rest prints `left out: PART: reason`, and counts as
//! passed.

use crate::results::TestCounts;

/// Start of the line that a skipped test prints.
const SKIPPED: &str = "skipped: ";
/// Start of the line that a test prints if it leaves out a part.
const LEFT_OUT: &str = "left out: ";

/// The part of the output to which a line belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OutputSection {
    /// Names and results of tests, or the output of a program without capturing.
    Progress,
    /// The captured output of passed tests. `skipped`: the current test was skipped.
    Successes { skipped: bool },
    /// The captured output of failed tests.
    Failures,
}

/// Counts the results in the output of one or more test programs, line by line.
pub(crate) struct OutputCounter {
    section: OutputSection,
    /// The sum of libtest's closing lines; `None` before the first.
    closing: Option<TestCounts>,
    /// Skipped tests that libtest counts as passed.
    skipped: u32,
}

impl OutputCounter {
    /// Returns a counter before the first line.
    pub(crate) const fn new() -> Self {
        Self {
            section: OutputSection::Progress,
            closing: None,
            skipped: 0,
        }
    }

    /// Counts a line. Returns true if the line is to be shown: of the captured output of a passed test, only skipped
    /// tests and parts left out are shown.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        match line {
            "successes:" => self.section = OutputSection::Successes { skipped: false },
            "failures:" => self.section = OutputSection::Failures,
            _ => return self.content(line),
        }
        self.section == OutputSection::Failures
    }

    fn content(&mut self, line: &str) -> bool {
        if let Some((_, counts)) = line.split_once("test result: ") {
            *self.closing.get_or_insert_default() += closing_line(counts);
            self.section = OutputSection::Progress;
            return true;
        }
        let is_skip = line.starts_with(SKIPPED);
        match &mut self.section {
            OutputSection::Progress => {
                self.skipped += u32::from(is_skip);
                true
            }
            OutputSection::Successes { skipped } => {
                if line.starts_with("---- ") {
                    *skipped = false;
                }
                if is_skip && !*skipped {
                    *skipped = true;
                    self.skipped += 1;
                }
                is_skip || line.starts_with(LEFT_OUT)
            }
            OutputSection::Failures => true,
        }
    }

    /// Returns the results. A run that failed without a failed test, or without a closing line, counts as one failure.
    pub(crate) fn counts(&self, success: bool) -> TestCounts {
        let Some(closing) = self.closing else {
            return TestCounts::FAILED;
        };
        let skipped = self.skipped.min(closing.passed);
        TestCounts {
            passed: closing.passed - skipped,
            failed: if success {
                closing.failed
            } else {
                closing.failed.max(1)
            },
            skipped: closing.skipped + skipped,
        }
    }
}

/// Returns the results of a finished run.
pub(crate) fn count(output: &str, success: bool) -> TestCounts {
    let mut counter = OutputCounter::new();
    for line in output.lines() {
        counter.line(line);
    }
    counter.counts(success)
}

/// Parses the rest of a closing line (`ok. 3 passed; 0 failed; 1 ignored; ...`).
fn closing_line(counts: &str) -> TestCounts {
    let count = |name: &str| {
        let part = counts
            .split([';', '.'])
            .find_map(|part| part.trim().strip_suffix(name));
        part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    TestCounts {
        passed: count("passed"),
        failed: count("failed"),
        skipped: count("ignored"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u32, failed: u32, skipped: u32) -> TestCounts {
        TestCounts {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn closing_lines_are_added_up() {
        let two = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
                   test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(count(two, false), counts(5, 1, 1));
    }

    #[test]
    fn a_run_without_a_closing_line_is_a_failure() {
        assert_eq!(count("no closing line", true), TestCounts::FAILED);
        let line = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured";
        assert_eq!(count(line, false), counts(3, 1, 0));
        assert_eq!(count(line, true), counts(3, 0, 0));
    }

    /// The output of libtest with `--show-output`, of two programs.
    const CAPTURED: &str = "running 4 tests\ntest a ... ok\ntest b ... ok\ntest c ... FAILED\ntest d ... ok\n\n\
        successes:\n\n---- a stdout ----\nskipped: a: needs root\nskipped: a: and memory\n\n\
        ---- b stdout ----\nleft out: hugetlb: no pages\nnot skipped: b\n\n\n\
        successes:\n    a\n    b\n    d\n\nfailures:\n\n---- c stdout ----\nskipped: c: then it failed\n\n\n\
        failures:\n    c\n\n\
        test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n\
        running 1 test\ntest e ... ok\n\nsuccesses:\n\n---- e stdout ----\nskipped: e: needs root\n\n\n\
        successes:\n    e\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n";

    #[test]
    fn a_test_that_printed_skipped_counts_once_as_skipped() {
        assert_eq!(count(CAPTURED, false), counts(2, 1, 2));
    }

    #[test]
    fn skips_of_a_program_that_captures_nothing_count() {
        let output = "skipped: x: no device\ntest result: ok. 2 passed; 0 failed; 1 ignored\n";
        assert_eq!(count(output, true), counts(1, 0, 2));
    }

    #[test]
    fn of_the_output_of_passed_tests_only_skips_and_parts_left_out_are_shown() {
        let mut counter = OutputCounter::new();
        let shown: Vec<_> = CAPTURED.lines().filter(|line| counter.line(line)).collect();
        assert!(shown.contains(&"left out: hugetlb: no pages") && shown.contains(&"skipped: a: needs root"));
        assert!(shown.contains(&"---- c stdout ----") && shown.contains(&"test b ... ok"));
        assert!(!shown.contains(&"not skipped: b") && !shown.contains(&"---- a stdout ----"));
    }
}
