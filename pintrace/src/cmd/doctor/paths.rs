//! Renders the tests of the paths: whether pins and releases by each kind of kernel code reach a hook.

use serde::Serialize;

use pintrace_source::test_pins::TestPins;

/// The test of one path.
#[derive(Debug, Serialize)]
pub(super) struct PathLine {
    pub(super) path: &'static str,
    /// `seen`, `release_not_seen`, `pin_not_seen` or `skipped`.
    pub(super) outcome: &'static str,
    /// Number of pages that pintrace pinned and released; 0 if the path was skipped before.
    expected: u64,
    /// Number of pages that the hooks saw pinned.
    acquired: u64,
    /// Number of pages that the hooks saw released.
    released: u64,
    /// Duration of the test in microseconds.
    took_us: u64,
    /// The outcome as a sentence.
    pub(super) text: String,
    /// Pins or releases on the path reach no hook.
    #[serde(skip)]
    pub(super) is_unseen: bool,
}

/// Returns the line of a test.
pub(super) fn line(test: &TestPins) -> PathLine {
    PathLine {
        path: test.path.as_str(),
        outcome: test.outcome.as_str(),
        expected: test.figures.expected,
        acquired: test.figures.acquired,
        released: test.figures.released,
        took_us: u64::try_from(test.took.as_micros()).unwrap_or(u64::MAX),
        text: test.outcome.text(test.path, test.figures),
        is_unseen: test.outcome.is_unseen(),
    }
}
