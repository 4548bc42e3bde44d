//! The start time of a process, which tells processes with the same pid apart.

use std::path::Path;

/// Returns the time at which a running process started, in clock ticks since boot. `None` if the process has ended, also
/// if its parent has not yet waited for it.
pub(crate) fn of(proc: &Path, pid: u32) -> Option<u64> {
    let stat = std::fs::read(proc.join(pid.to_string()).join("stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The command name may contain spaces and parentheses. The state is the first field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let (state, threads, started) = (fields.first()?, fields.get(17)?, fields.get(19)?);
    // A process also has the state `Z` if its first thread has ended and others run. Then it has more than one thread.
    let has_ended = matches!(*state, "Z" | "X") && matches!(*threads, "0" | "1");
    if has_ended { None } else { started.parse().ok() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Writes /proc/PID/stat of a process.
    pub(crate) fn write(proc: &Path, pid: u32, state: &str, threads: u32, started: u64) {
        let folder = proc.join(pid.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        let between = "1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0";
        let stat = format!("{pid} (a) Z 1 (b) {state} {between} {threads} 0 {started} 4096 1\n");
        std::fs::write(folder.join("stat"), stat).unwrap();
    }

    #[test]
    fn a_running_process_has_a_start_time_whatever_its_name() {
        let proc = tempfile::tempdir().unwrap();
        write(proc.path(), 7, "S", 1, 1234);
        assert_eq!(of(proc.path(), 7), Some(1234));
        let own = of(Path::new("/proc"), std::process::id());
        assert!(own.is_some_and(|started| started > 0));
    }

    #[test]
    fn a_process_that_nobody_waited_for_has_ended_and_one_with_threads_has_not() {
        let proc = tempfile::tempdir().unwrap();
        assert_eq!(of(proc.path(), 7), None);
        write(proc.path(), 7, "Z", 1, 1234);
        assert_eq!(of(proc.path(), 7), None);
        write(proc.path(), 7, "Z", 2, 1234);
        assert_eq!(of(proc.path(), 7), Some(1234));
    }
}
