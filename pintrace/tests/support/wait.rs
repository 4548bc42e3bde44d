//! Waits for a condition.

use std::thread;
use std::time::{Duration, Instant};

/// Bound of a wait, far longer than any wait takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Time between two checks of a condition.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `ready` returns a value. Fails after [`PATIENCE`], with a message that contains `what`.
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
