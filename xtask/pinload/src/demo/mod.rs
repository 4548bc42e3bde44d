//! `demo`: runs workloads repeatedly, each under a separate process name, until a signal ends all of them.

mod workloads;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitStatus, wait};
use std::os::fd::AsFd;

use self::workloads::{DemoWorkload, WORKLOADS};
use crate::cli::DemoArgs;
use crate::failure::{Explain, Result};

/// A workload of the table and its current process.
struct RunningWorkload {
    workload: &'static DemoWorkload,
    child: Option<Child>,
    next: Instant,
    /// The workload is not available on this machine.
    unavailable: bool,
}

/// Runs until SIGINT, SIGTERM or the end of the duration.
pub(crate) fn run(arguments: &DemoArgs) -> Result<()> {
    let program = env::current_exe().failing("cannot find pinload's own file", "mount /proc")?;
    set_child_subreaper(true).failing("cannot adopt grandchildren", "use kernel 3.4 or later")?;
    let signals = endings()?;
    let end = arguments.duration.map(|duration| Instant::now() + duration);
    let mut random = RandomNumbers::new();
    let mut running: Vec<RunningWorkload> = WORKLOADS
        .iter()
        .map(|workload| RunningWorkload {
            workload,
            child: None,
            next: Instant::now(),
            unavailable: false,
        })
        .collect();
    while end.is_none_or(|end| Instant::now() < end) && !signalled(&signals)? {
        for entry in running.iter_mut().filter(|entry| !entry.unavailable) {
            advance(entry, &program, arguments, &mut random)?;
        }
    }
    finish(&mut running);
    Ok(())
}

/// Starts the process of the entry, or notes its exit.
fn advance(
    entry: &mut RunningWorkload,
    program: &Path,
    arguments: &DemoArgs,
    random: &mut RandomNumbers,
) -> Result<()> {
    match &mut entry.child {
        None if Instant::now() >= entry.next => {
            entry.child = Some(start(entry.workload, program, arguments, random)?);
        }
        None => {}
        Some(child) => {
            let ended = child
                .try_wait()
                .failing("cannot watch a child", "report this as a bug")?;
            if let Some(status) = ended {
                entry.child = None;
                // A workload that this kernel does not offer is not started again.
                entry.unavailable = matches!(status.code(), Some(2 | 3));
                entry.next = Instant::now() + Duration::from_millis(random.between(entry.workload.pause));
            }
        }
    }
    Ok(())
}

fn start(
    workload: &DemoWorkload,
    program: &Path,
    arguments: &DemoArgs,
    random: &mut RandomNumbers,
) -> Result<Child> {
    let mut command = Command::new(program);
    command.args(workload.arguments.split(' '));
    command.args(["--name", workload.name, "--die-with-parent", &id().to_string()]);
    command.args(["--hold", &format!("{}ms", random.between(workload.hold))]);
    if workload.arguments.starts_with("direct") {
        command.arg("--file").arg(file_of(workload, &arguments.file));
    }
    if arguments.quiet {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    command
        .stdin(Stdio::null())
        .spawn()
        .failing("cannot start a workload", "raise ulimit -u")
}

/// Returns the file of a workload. Each workload with a file uses a separate file.
fn file_of(workload: &DemoWorkload, file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}", workload.name));
    name.into()
}

/// Kills all children, and waits for all descendants.
fn finish(running: &mut [RunningWorkload]) {
    for child in running.iter_mut().filter_map(|entry| entry.child.as_mut()) {
        // The child may have exited already.
        let _ = child.kill();
    }
    while wait().is_ok_and(|status| status != WaitStatus::StillAlive) {}
}

/// Returns a descriptor for the signals that end the demo.
fn endings() -> Result<SignalFd> {
    const REMEDY: &str = "report this as a bug of pinload";
    let mut set = SigSet::empty();
    set.add(Signal::SIGINT);
    set.add(Signal::SIGTERM);
    set.add(Signal::SIGHUP);
    set.thread_block().failing("cannot block signals", REMEDY)?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .failing("cannot wait for signals", REMEDY)
}

/// Waits up to 50 ms. Returns true if a signal arrived.
fn signalled(signals: &SignalFd) -> Result<bool> {
    let mut waiting = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    let came =
        poll(&mut waiting, PollTimeout::from(50_u8)).failing("cannot wait for signals", "report this")?;
    Ok(came > 0)
}

/// Pseudo-random numbers (xorshift), seeded by the clock.
struct RandomNumbers(u64);

impl RandomNumbers {
    fn new() -> Self {
        Self(crate::report::now_ns() | 1)
    }

    fn between(&mut self, (from, to): (u64, u64)) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from + self.0 % (to - from + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_stay_in_range() {
        let mut random = RandomNumbers::new();
        assert!(
            (0..1000)
                .map(|_| random.between((3, 5)))
                .all(|number| (3..=5).contains(&number))
        );
    }
}
