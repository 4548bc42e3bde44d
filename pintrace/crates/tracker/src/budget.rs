//! How much of a CPU looking at memory may take.

use std::time::Duration;

/// CPU time that this thread has used.
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// How long to rest after work that took so long, for it to be no more than this share (0 to 1) of one CPU.
pub fn pause(took: Duration, share: f64) -> Duration {
    took.mul_f64(1.0 / share.clamp(0.001, 1.0) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_rest_have_the_share_that_was_asked_for() {
        let took = Duration::from_millis(50);
        assert_eq!(pause(took, 0.05), Duration::from_millis(950));
        assert_eq!(pause(took, 1.0), Duration::ZERO);
        // However little was asked for, some is done.
        assert!(pause(took, 0.0) < Duration::from_mins(1));
    }
}
