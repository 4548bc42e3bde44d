//! Forked children that die with their parent, and the two pipes between them.
//!
//! A byte down one pipe tells the child to go on; the child's news come up the other. A byte and not the end
//! of the pipe, because later children inherit the ends of earlier ones.

use std::fs::File;
use std::io::{Read, Write};
use std::process;

use nix::fcntl::OFlag;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid, pipe2};

use crate::failure::{Explain, Failure, Result};
use crate::report;

const NO_PROCESS: &str = "raise the limits of processes and open files (ulimit -u, ulimit -n)";

/// A child as its parent sees it.
#[derive(Debug)]
pub(crate) struct ForkedChild {
    pid: Pid,
    go: File,
    news: File,
}

/// A parent as its child sees it.
#[derive(Debug)]
pub(crate) struct ParentLink {
    go: File,
    news: File,
}

impl ForkedChild {
    /// Forks a child that does `work` and ends, with the failure's exit code if it failed. To be called only
    /// while the process has one thread.
    pub(crate) fn fork(work: impl FnOnce(&ParentLink) -> Result<()>) -> Result<Self> {
        let (wait, go) = pipe2(OFlag::O_CLOEXEC).failing("cannot make a pipe", NO_PROCESS)?;
        let (news, tell) = pipe2(OFlag::O_CLOEXEC).failing("cannot make a pipe", NO_PROCESS)?;
        let parent = getpid();
        // SAFETY: the process has one thread, so the child may do whatever its parent could.
        match unsafe { fork() }.failing("cannot fork", NO_PROCESS)? {
            ForkResult::Parent { child } => Ok(Self {
                pid: child,
                go: go.into(),
                news: news.into(),
            }),
            ForkResult::Child => {
                drop((go, news));
                die_with(parent);
                let result = work(&ParentLink {
                    go: wait.into(),
                    news: tell.into(),
                });
                process::exit(i32::from(result.map_or_else(
                    |failure| {
                        report::failure(&failure);
                        failure.code
                    },
                    |()| 0,
                )))
            }
        }
    }

    /// The child's id.
    pub(crate) const fn pid(&self) -> Pid {
        self.pid
    }

    /// What the child tells; the end of it when the child has ended.
    pub(crate) fn messages(&mut self) -> &mut File {
        &mut self.news
    }

    /// Tells the child to go on, waits for its end, and returns its exit code (128 and the signal's number if
    /// it was killed).
    pub(crate) fn finish(mut self) -> Result<u8> {
        // The child may have ended already.
        let _ = self.go.write_all(&[1]);
        self.wait()
    }

    /// Waits for the child's end.
    pub(crate) fn wait(self) -> Result<u8> {
        match waitpid(self.pid, None).failing("cannot wait for a child", "report this as a bug")? {
            WaitStatus::Exited(_, code) => Ok(u8::try_from(code).unwrap_or(1)),
            WaitStatus::Signaled(_, signal, _) => Ok(128 + u8::try_from(signal as i32).unwrap_or(0)),
            _ => Ok(1),
        }
    }
}

impl ParentLink {
    /// Sends news.
    pub(crate) fn send(&self, news: &[u8]) -> Result<()> {
        (&self.news)
            .write_all(news)
            .failing("cannot send a message to the parent", "report this as a bug")
    }

    /// Waits until the parent says to go on.
    pub(crate) fn wait(&self) -> Result<()> {
        let mut byte = [0];
        (&self.go).read_exact(&mut byte).map_err(|_| Failure::peer_gone())
    }
}

/// A child's failure, which the child itself has reported.
pub(crate) fn check(code: u8) -> Result<()> {
    match code {
        0 => Ok(()),
        code => Err(Failure {
            code,
            ..Failure::failed(format!("a child ended with code {code}"), "see its message")
        }),
    }
}

/// Has the kernel kill this process when `parent` ends.
pub(crate) fn die_with(parent: Pid) {
    if set_pdeathsig(Signal::SIGKILL).is_err() || getppid() != parent {
        // The parent was gone before it could be watched.
        process::exit(1);
    }
}

/// Ends this process at once, with everything it holds.
pub(crate) fn kill_self() -> ! {
    let _ = raise(Signal::SIGKILL);
    // Not reached: nobody survives SIGKILL, except the first process of a machine.
    process::abort()
}
