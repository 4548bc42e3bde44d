//! Waiting for a condition, with a time limit.

use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Result;

/// Checks the condition every `interval`. Returns true if the condition is true, and false after `limit`.
pub(crate) fn wait_for(
    limit: Duration,
    interval: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<bool> {
    let begin = Instant::now();
    while !condition()? {
        if begin.elapsed() >= limit {
            return Ok(false);
        }
        thread::sleep(interval);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(1);

    #[test]
    fn a_condition_is_checked_until_it_is_true() {
        let mut checks = 0;
        let reached = wait_for(Duration::from_mins(1), INTERVAL, || {
            checks += 1;
            Ok(checks == 3)
        });
        assert_eq!((reached.unwrap(), checks), (true, 3));
    }

    #[test]
    fn a_wait_ends_at_its_limit() {
        assert!(!wait_for(INTERVAL, INTERVAL, || Ok(false)).unwrap());
    }
}
