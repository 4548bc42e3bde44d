//! Forked children that die with their parent, and the two pipes between a child and its parent.
//!
//! The parent writes a byte into the first pipe to let the child continue; the child writes its messages into the
//! second pipe. The parent writes a byte and does not close the pipe, because later children inherit the write ends of
//! earlier pipes.

mod program;
mod ready;
mod sibling;

pub(crate) use self::program::wait_as_new_program;
pub(crate) use self::sibling::run_as_sibling;

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

/// The parent's handle of a child.
#[derive(Debug)]
pub(crate) struct ForkedChild {
    pid: Pid,
    resume: File,
    messages: File,
}

/// The child's handle of its parent.
#[derive(Debug)]
pub(crate) struct ParentLink {
    resume: File,
    messages: File,
}

impl ForkedChild {
    /// Forks a child that runs `work` and exits, with the code of the failure if `work` fails. The process must have
    /// only one thread.
    pub(crate) fn fork(work: impl FnOnce(&ParentLink) -> Result<()>) -> Result<Self> {
        let (wait, resume) = pipe2(OFlag::O_CLOEXEC).failing("cannot create a pipe", NO_PROCESS)?;
        let (messages, sender) = pipe2(OFlag::O_CLOEXEC).failing("cannot create a pipe", NO_PROCESS)?;
        let parent = getpid();
        // SAFETY: the process has one thread, so the child may call any function.
        match unsafe { fork() }.failing("cannot fork", NO_PROCESS)? {
            ForkResult::Parent { child } => Ok(Self {
                pid: child,
                resume: resume.into(),
                messages: messages.into(),
            }),
            ForkResult::Child => {
                drop((resume, messages));
                die_with(parent);
                let result = work(&ParentLink {
                    resume: wait.into(),
                    messages: sender.into(),
                });
                exit_with(&result)
            }
        }
    }

    /// Returns the pid of the child.
    pub(crate) const fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns the pipe with the child's messages, which ends when the child exits.
    pub(crate) fn messages(&mut self) -> &mut File {
        &mut self.messages
    }

    /// Lets the child continue after its next wait.
    pub(crate) fn resume(&mut self) -> Result<()> {
        self.resume
            .write_all(&[1])
            .failing("cannot let a child continue", "see its message")
    }

    /// Lets the child continue, waits for its exit, and returns its exit code (128 plus the signal number if
    /// a signal killed it).
    pub(crate) fn finish(mut self) -> Result<u8> {
        // The write fails if the child has exited already.
        let _ = self.resume.write_all(&[1]);
        self.wait()
    }

    /// Waits until the child exits.
    pub(crate) fn wait(self) -> Result<u8> {
        self.await_end()
    }

    fn await_end(&self) -> Result<u8> {
        match waitpid(self.pid, None).failing("cannot wait for a child", "report this as a bug")? {
            WaitStatus::Exited(_, code) => Ok(u8::try_from(code).unwrap_or(1)),
            WaitStatus::Signaled(_, signal, _) => Ok(128 + u8::try_from(signal as i32).unwrap_or(0)),
            _ => Ok(1),
        }
    }
}

impl ParentLink {
    /// Sends a message to the parent.
    pub(crate) fn send(&self, message: &[u8]) -> Result<()> {
        (&self.messages)
            .write_all(message)
            .failing("cannot send a message to the parent", "report this as a bug")
    }

    /// Waits until the parent lets this child continue.
    pub(crate) fn wait(&self) -> Result<()> {
        let mut byte = [0];
        (&self.resume)
            .read_exact(&mut byte)
            .map_err(|_| Failure::peer_gone())
    }
}

/// Ends this process with the code of the failure, or with code 0.
pub(crate) fn exit_with(result: &Result<()>) -> ! {
    let code = result.as_ref().map_or_else(
        |failure| {
            report::failure(failure);
            failure.code
        },
        |()| 0,
    );
    process::exit(i32::from(code))
}

/// Turns the exit code of a child into a failure, without a message, because the child has printed one.
pub(crate) fn check(code: u8) -> Result<()> {
    match code {
        0 => Ok(()),
        code => Err(Failure {
            code,
            ..Failure::failed(format!("a child ended with code {code}"), "see its message")
        }),
    }
}

/// Asks the kernel to kill this process when `parent` exits.
pub(crate) fn die_with(parent: Pid) {
    if set_pdeathsig(Signal::SIGKILL).is_err() || getppid() != parent {
        // The parent exited before the kernel could watch the parent.
        process::exit(1);
    }
}

/// Kills this process with SIGKILL; the kernel releases everything that the process holds.
pub(crate) fn kill_self() -> ! {
    let _ = raise(Signal::SIGKILL);
    // Not reached: only PID 1 of a PID namespace survives its own SIGKILL.
    process::abort()
}
