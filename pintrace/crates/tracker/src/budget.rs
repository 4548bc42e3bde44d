//! The share of one CPU that memory scans may take.

use std::time::Duration;

/// Returns the CPU time that the calling thread has used.
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns the pause after work that took `took` of CPU time, so that work takes at most `share` (0 to 1) of one CPU.
/// A share below 0.001 counts as 0.001.
pub fn pause(took: Duration, share: f64) -> Duration {
    took.mul_f64(1.0 / share.clamp(0.001, 1.0) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_the_requested_share_of_work_and_pause() {
        let took = Duration::from_millis(50);
        assert_eq!(pause(took, 0.05), Duration::from_millis(950));
        assert_eq!(pause(took, 1.0), Duration::ZERO);
        // A share of 0 still gives a finite pause.
        assert!(pause(took, 0.0) < Duration::from_mins(1));
    }
}
