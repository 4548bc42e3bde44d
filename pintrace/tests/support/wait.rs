//! Waits for a condition.

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits before it fails: far longer than any wait takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// The time between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `ready` gives a value. Fails with `what` after [`PATIENCE`].
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        thread::sleep(PAUSE);
    }
}
