//! Follows the running processes that were emitted, and finds those that ended without an exit record.
//!
//! No exit record arrives if the ring buffer was full at the exit, or if a scan opened the first account of a process that
//! had ended before. Then /proc shows that the process has ended, or that another process has its pid.

use std::path::PathBuf;

use hashbrown::HashMap;
use rustix::time::{ClockId, clock_gettime};

use crate::start_time;

/// Clock ticks of /proc in a second (`USER_HZ`).
const TICKS: u64 = 100;
const SECOND_NS: u64 = 1_000_000_000;

/// Number of comparisons with /proc. From the exit record to the end in /proc, the kernel may free memory for seconds.
const CHECKS: u32 = 10;

/// A process that ended without an exit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LostEnd {
    pub(super) pid: u32,
    started: Option<u64>,
    /// A time after the end, and before the start of the next process with the pid.
    pub(super) ended_ns: u64,
}

/// The running processes that were emitted.
pub(super) struct Processes {
    proc: PathBuf,
    /// Start times of the processes, by pid; `None` if the process had ended before the time could be read.
    running: HashMap<u32, Option<u64>>,
    /// Number of comparisons with /proc that are left, because a process may have ended without an exit record.
    checks: u32,
    /// Processes that had ended at the last comparison, and whose exit records had not been read then.
    without_record: Vec<LostEnd>,
}

impl Processes {
    pub(super) fn new(proc: PathBuf) -> Self {
        Self {
            proc,
            running: HashMap::new(),
            checks: 0,
            without_record: Vec::new(),
        }
    }

    /// Adds a process. Returns false if the process was added before.
    pub(super) fn add(&mut self, pid: u32) -> bool {
        if self.running.contains_key(&pid) {
            return false;
        }
        self.running.insert(pid, start_time::of(&self.proc, pid));
        true
    }

    pub(super) fn contains(&self, pid: u32) -> bool {
        self.running.contains_key(&pid)
    }

    /// Removes a process whose exit record was read. Returns false if the process was not added.
    pub(super) fn exited(&mut self, pid: u32) -> bool {
        self.running.remove(&pid).is_some()
    }

    /// Some process may have ended without an exit record: the next calls of [`Self::take_lost_ends`] compare with /proc.
    pub(super) fn check_ends(&mut self) {
        self.checks = CHECKS;
    }

    /// Removes and returns the processes that ended without an exit record. The caller has read the ring buffer since the
    /// last call.
    ///
    /// The kernel emits the record before /proc shows the end. So a record that has not arrived at the reading after
    /// /proc showed the end never arrives.
    pub(super) fn take_lost_ends(&mut self) -> Vec<LostEnd> {
        let mut lost = std::mem::take(&mut self.without_record);
        lost.retain(|end| self.running.get(&end.pid) == Some(&end.started));
        for end in &lost {
            self.running.remove(&end.pid);
        }
        if let Some(checks) = self.checks.checked_sub(1) {
            self.checks = checks;
            // With the mount option hidepid, /proc hides processes that run. It then hides PID 1 too, which never ends.
            if start_time::of(&self.proc, 1).is_none() {
                return lost;
            }
            let ended = |(pid, started): (&u32, &Option<u64>)| {
                let ended_ns = match start_time::of(&self.proc, *pid) {
                    None => nanos(ClockId::Monotonic),
                    now if now == *started => return None,
                    Some(next) => on_monotonic_clock(next),
                };
                Some(LostEnd {
                    pid: *pid,
                    started: *started,
                    ended_ns,
                })
            };
            self.without_record = self.running.iter().filter_map(ended).collect();
        }
        lost
    }
}

/// Converts clock ticks since boot, which include the time in suspend, to the clock of the ledger. The result may be
/// earlier, by a clock tick and by the time in suspend since then.
fn on_monotonic_clock(ticks: u64) -> u64 {
    // In this order, so that the time between the two readings makes the result earlier too.
    let monotonic = nanos(ClockId::Monotonic);
    let suspended = nanos(ClockId::Boottime).saturating_sub(monotonic);
    ticks.saturating_mul(SECOND_NS / TICKS).saturating_sub(suspended)
}

fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let word = |number| u64::try_from(number).unwrap_or(0);
    word(time.tv_sec) * SECOND_NS + word(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::super::start_time::tests::write;
    use super::*;

    fn with_processes(pids: &[u32]) -> (tempfile::TempDir, Processes) {
        let proc = tempfile::tempdir().unwrap();
        write(proc.path(), 1, "S", 1, 0);
        let mut processes = Processes::new(proc.path().to_owned());
        for pid in pids {
            write(proc.path(), *pid, "S", 1, 100);
            assert!(processes.add(*pid) && !processes.add(*pid));
        }
        (proc, processes)
    }

    fn end_process(proc: &tempfile::TempDir, pid: u32) {
        std::fs::remove_dir_all(proc.path().join(pid.to_string())).unwrap();
    }

    fn lost(processes: &mut Processes) -> Vec<u32> {
        let ends = processes.take_lost_ends();
        ends.iter().map(|end| end.pid).collect()
    }

    #[test]
    fn a_process_whose_exit_record_was_lost_ends_at_the_second_reading() {
        let (proc, mut processes) = with_processes(&[7, 8]);
        end_process(&proc, 7);
        // Without a loss, the exit record is on its way.
        assert_eq!(lost(&mut processes), []);
        assert_eq!(lost(&mut processes), []);
        processes.check_ends();
        assert_eq!(lost(&mut processes), []);
        assert_eq!(lost(&mut processes), [7]);
        assert!(!processes.contains(7) && processes.contains(8));
        assert_eq!(lost(&mut processes), []);
    }

    #[test]
    fn a_process_that_proc_hides_has_not_ended() {
        let (proc, mut processes) = with_processes(&[7]);
        for pid in [1, 7] {
            end_process(&proc, pid);
        }
        processes.check_ends();
        assert_eq!(lost(&mut processes), []);
        assert_eq!(lost(&mut processes), []);
        assert!(processes.contains(7));
    }

    #[test]
    fn a_process_that_takes_long_to_end_is_found() {
        let (proc, mut processes) = with_processes(&[7]);
        processes.check_ends();
        for _ in 1..CHECKS {
            assert_eq!(lost(&mut processes), []);
        }
        end_process(&proc, 7);
        assert_eq!(lost(&mut processes), []);
        assert_eq!(lost(&mut processes), [7]);
    }

    #[test]
    fn an_exit_record_that_was_on_its_way_counts() {
        let (proc, mut processes) = with_processes(&[7]);
        end_process(&proc, 7);
        processes.check_ends();
        assert_eq!(lost(&mut processes), []);
        assert!(processes.exited(7) && !processes.exited(7));
        // The next process with the pid pins before the second reading.
        write(proc.path(), 7, "S", 1, 200);
        processes.add(7);
        assert_eq!(lost(&mut processes), []);
        assert!(processes.contains(7));
    }

    #[test]
    fn a_process_that_ended_before_it_was_added_ends() {
        let (_proc, mut processes) = with_processes(&[]);
        assert!(processes.add(7));
        processes.check_ends();
        assert_eq!(lost(&mut processes), []);
        assert_eq!(lost(&mut processes), [7]);
    }

    #[test]
    fn a_process_whose_pid_another_process_has_ended_before_that_started() {
        let (proc, mut processes) = with_processes(&[7]);
        // A second ago.
        let started = nanos(ClockId::Boottime) / (SECOND_NS / TICKS) - TICKS;
        write(proc.path(), 7, "S", 1, started);
        processes.check_ends();
        processes.take_lost_ends();
        let [end] = processes.take_lost_ends()[..] else {
            panic!("one process has ended");
        };
        let ago = nanos(ClockId::Monotonic) - end.ended_ns;
        assert_eq!(end.pid, 7);
        assert!((SECOND_NS..61 * SECOND_NS).contains(&ago), "{ago}");
    }
}
