//! The switch of the kernel's BPF statistics: a process of its own, which alone keeps CAP_SYS_ADMIN.
//!
//! A session drops CAP_SYS_ADMIN once its hooks are attached, and the kernel asks for it each time that statistics are
//! enabled. The process does nothing else, and ends with the session.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{CapabilitySet, capabilities};

/// The name of the command that runs the switch.
pub const COMMAND: &str = "bpf-statistics";
/// The option by which the switch does not restrict itself.
const NO_SANDBOX: &str = "--no-sandbox";
/// The request to enable the statistics.
pub const ON: u8 = b'1';
/// The request to disable the statistics.
pub const OFF: u8 = b'0';
/// The switch disables the statistics by itself after this time.
pub const MOST_ENABLED: Duration = Duration::from_secs(3);
/// Longest wait for an answer.
const PATIENCE: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Enables and disables the statistics.
pub(super) trait Switch {
    /// Enables or disables the statistics. An error says why not, in one sentence.
    fn set(&mut self, on: bool) -> Result<(), String>;
}

/// The process that enables the statistics; an error says why there is none.
#[derive(Debug)]
pub struct StatisticsProcess(Result<Ends, String>);

#[derive(Debug)]
struct Ends {
    process: Child,
    requests: Option<ChildStdin>,
    answers: ChildStdout,
}

impl StatisticsProcess {
    /// Starts the process, which inherits the privileges of this process. Starts none without CAP_SYS_ADMIN.
    pub fn start(no_sandbox: bool) -> Self {
        Self(may_enable().and_then(|()| spawn(no_sandbox).map_err(|error| failed(&error))))
    }
}

impl Switch for StatisticsProcess {
    fn set(&mut self, on: bool) -> Result<(), String> {
        let ends = self.0.as_mut().map_err(|why| why.clone())?;
        match ends.ask(if on { ON } else { OFF }) {
            Ok(0) => Ok(()),
            Ok(code) => {
                let error = std::io::Error::from_raw_os_error(code);
                Err(format!(
                    "the kernel refused to enable its BPF statistics ({error})."
                ))
            }
            Err(error) => {
                let why = failed(&error);
                self.0 = Err(why.clone());
                Err(why)
            }
        }
    }
}

impl Ends {
    /// Sends a request and returns the answer: the error number of the kernel, or 0.
    fn ask(&mut self, request: u8) -> std::io::Result<i32> {
        let requests = self.requests.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        requests.write_all(&[request])?;
        let mut ready = [PollFd::new(&self.answers, PollFlags::IN)];
        if poll(&mut ready, Some(&PATIENCE))? == 0 {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        let mut answer = [0; size_of::<i32>()];
        self.answers.read_exact(&mut answer)?;
        Ok(i32::from_le_bytes(answer))
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.requests.take());
        // The end of its input ends the process. The signal is for a process that is stopped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn may_enable() -> Result<(), String> {
    let has_right = capabilities(None).is_ok_and(|sets| sets.permitted.contains(CapabilitySet::SYS_ADMIN));
    if has_right {
        return Ok(());
    }
    Err(
        "enabling the kernel's BPF statistics needs CAP_SYS_ADMIN, which pintrace does not have. An administrator can \
         enable them by sysctl kernel.bpf_stats_enabled=1."
            .to_owned(),
    )
}

fn spawn(no_sandbox: bool) -> std::io::Result<Ends> {
    // The file of this process, also after another version was installed in its place. A group of its own keeps the
    // signals of the keyboard away.
    let mut process = Command::new("/proc/self/exe")
        .arg0("pintrace")
        .arg(COMMAND)
        .args(no_sandbox.then_some(NO_SANDBOX))
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let requests = process.stdin.take();
    let answers = process.stdout.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
    Ok(Ends {
        process,
        requests,
        answers,
    })
}

fn failed(error: &std::io::Error) -> String {
    format!("the process that enables the kernel's BPF statistics failed ({error}).")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(script: &str) -> StatisticsProcess {
        let mut process = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        StatisticsProcess(Ok(Ends {
            requests: process.stdin.take(),
            answers: process.stdout.take().unwrap(),
            process,
        }))
    }

    #[test]
    fn the_answer_is_the_error_of_the_kernel() {
        let mut process = ends(r"head -c 1 >/dev/null; printf '\0\0\0\0\1\0\0\0'; cat >/dev/null");
        assert_eq!(process.set(true), Ok(()));
        let refused = process.set(true).unwrap_err();
        assert!(
            refused.starts_with("the kernel refused") && refused.contains("not permitted"),
            "{refused}"
        );
    }

    #[test]
    fn a_process_that_ended_or_says_too_little_is_a_failure_that_stays() {
        for script in ["exit 1", r"printf '\0\0'; exit", "printf x; head -c 1 >/dev/null"] {
            let mut process = ends(script);
            let why = process.set(true).unwrap_err();
            assert!(why.starts_with("the process that enables"), "{why}");
            assert_eq!(process.set(false), Err(why));
        }
    }

    #[test]
    fn a_silent_process_ends_with_the_switch() {
        let mut process = ends("exec sleep 1000");
        assert!(process.set(true).unwrap_err().contains("timed out"));
    }
}
