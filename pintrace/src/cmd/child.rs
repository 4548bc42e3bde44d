//! Runs a command during a session, as the user who called sudo.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use super::signals::Stops;

/// Why the command could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot run {command}: {source}")]
pub(super) struct SpawnError {
    command: String,
    source: io::Error,
}

impl SpawnError {
    /// Returns the exit code that shells use: 127 if the command does not exist, 126 if the command cannot be run.
    pub(super) fn exit_code(&self) -> u8 {
        if self.source.kind() == io::ErrorKind::NotFound {
            127
        } else {
            126
        }
    }
}

/// A running command.
pub(super) struct Child {
    process: tokio::process::Child,
}

/// Starts a command. Returns `None` for an empty command line.
pub(super) fn spawn(command: &[String]) -> Result<Option<Child>, SpawnError> {
    let [program, arguments @ ..] = command else {
        return Ok(None);
    };
    let mut process = Command::new(program);
    process.args(arguments);
    if let Some((uid, gid)) = sudo_user() {
        process.uid(uid).gid(gid);
    }
    match process.spawn() {
        Ok(process) => Ok(Some(Child { process })),
        Err(source) => Err(SpawnError {
            command: program.clone(),
            source,
        }),
    }
}

/// Returns the user and group that called sudo, if this process runs as root under sudo.
pub(super) fn sudo_user() -> Option<(u32, u32)> {
    let id = |name: &str| std::env::var(name).ok()?.parse().ok();
    rustix::process::geteuid()
        .is_root()
        .then_some((id("SUDO_UID")?, id("SUDO_GID")?))
}

impl Child {
    /// Waits for the end of the command and returns its exit code, or 128 + n if signal n killed the command. Passes
    /// signals on to the command, except SIGINT, which the terminal sends to the command too.
    pub(super) async fn finish(&mut self, stops: &mut Stops) -> i32 {
        loop {
            tokio::select! {
                status = self.process.wait() => return status.map_or(1, exit_code),
                number = stops.next() => self.pass_on(number),
            }
        }
    }

    fn pass_on(&self, number: i32) {
        let pid = self
            .process
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let signal = Signal::from_named_raw(number);
        if let (Some(pid), Some(signal)) = (pid, signal)
            && signal != Signal::INT
        {
            // An error means that the command has just ended.
            let _ = kill_process(pid, signal);
        }
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1)
}
