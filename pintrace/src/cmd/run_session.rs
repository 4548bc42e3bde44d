//! Runs a session and delivers its events to sinks, until a command ends, a signal arrives or a time limit passes.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::exit::Exit;
use crate::pipeline::own_cost::Meter;
use crate::pipeline::own_cost::attention::Attention;
use crate::pipeline::own_cost::watch::Watch;
use crate::pipeline::run::{RunError, run as run_session};
use crate::pipeline::session::Session;
use crate::pipeline::sink::Sink;
use pintrace_events::Stopped;
use pintrace_kernel::facts::Roots;

use super::child::{self, Child};
use super::privileges::{self, Uses};
use super::service_manager::ServiceManager;
use super::signals::Stops;
use super::trace_args::{TraceArgs, start};
use crate::sandbox::{Writes, folder_of};

/// The options of a session, and the conditions that end the session.
pub(super) struct SessionRun<'a> {
    /// The options of the session.
    pub(super) live: &'a TraceArgs,
    /// The command that runs during the session; empty for no command.
    pub(super) command: &'a [String],
    /// The time between two samples.
    pub(super) interval: Duration,
    /// The time after which the session ends, unless the command or a signal ends the session earlier.
    pub(super) limit: Option<Duration>,
    /// The files that are removed at the end if they stay empty.
    pub(super) files: &'a [&'a Path],
    /// What to say when the hooks are attached and events are collected.
    pub(super) running: Option<String>,
}

/// The end of a session.
pub(super) enum SessionEnd {
    /// The session ended in order. Its programs are still attached ([`super::detach`]).
    Ended(Stopped, Box<Session>),
    /// The command could not be run, or a sink failed. The message is already printed.
    Failed(Exit),
}

impl SessionRun<'_> {
    /// Runs the session. Errors of the command and of sinks are written to `messages`.
    pub(super) fn run(
        &self,
        sinks: &mut [&mut dyn Sink],
        messages: &mut dyn Write,
    ) -> anyhow::Result<SessionEnd> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.session(sinks, messages))
    }

    async fn session(
        &self,
        sinks: &mut [&mut dyn Sink],
        messages: &mut dyn Write,
    ) -> anyhow::Result<SessionEnd> {
        // Listen before the session starts, so that a signal ends the session in order.
        let manager = ServiceManager::connect();
        let mut stops = Stops::listen()?;
        let (mut session, first) = start(self.live, self.command.to_vec())?;
        // Start the command after all hooks are attached, so that the hooks see each call of the command.
        let mut command = match child::spawn(self.command) {
            Ok(command) => command,
            Err(error) => {
                writeln!(messages, "pintrace: {error}")?;
                return Ok(SessionEnd::Failed(Exit::Command(error.exit_code())));
            }
        };
        // After the command has started, so that a command that cannot be run changes no file.
        for sink in sinks.iter_mut() {
            match sink.begin() {
                Ok(note) => say(note.as_deref(), messages),
                Err(error) => {
                    writeln!(messages, "pintrace: {error}")?;
                    unrecorded(session, command, &mut stops, messages).await?;
                    return Ok(SessionEnd::Failed(Exit::Failed));
                }
            }
        }
        let meter = self.live.budget.map(|_| {
            Meter::of(
                &session,
                Roots::default().proc,
                Attention::Always,
                self.live.no_sandbox,
            )
        });
        // Drop capabilities after the command has started, because the command must have all capabilities of its user.
        let folders: Vec<_> = self.files.iter().map(|file| folder_of(file)).collect();
        let uses = Uses {
            command: command.is_some(),
            processes: session.reads_processes(),
            writes: Writes {
                removes_in: &folders,
                ..Writes::default()
            },
            no_sandbox: self.live.no_sandbox,
        };
        privileges::give_up(uses)?;
        let own_cost = meter.map(Watch::start);
        let latest = own_cost.as_ref().map(Watch::latest);
        let budget = latest.and_then(|latest| self.live.budget(self.interval, latest));
        manager.ready("Hooks are attached, and events are collected.");
        say(self.running.as_deref(), messages);
        let done = until_done(self.limit, command.as_mut(), &mut stops);
        let stop = async {
            let stopped = tokio::select! {
                stopped = done => stopped,
                () = manager.keep_alive() => std::future::pending().await,
            };
            manager.stopping();
            stopped
        };
        let ended = run_session(&mut session, first, self.interval, budget, sinks, stop).await;
        if let Some(own_cost) = own_cost {
            own_cost.end().await?;
        }
        match ended {
            Ok(stopped) => Ok(SessionEnd::Ended(stopped, Box::new(session))),
            Err(RunError::Sink(error)) => {
                writeln!(messages, "pintrace: {error}")?;
                unrecorded(session, command, &mut stops, messages).await?;
                Ok(SessionEnd::Failed(Exit::Failed))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Prints a note. A reader that has gone does not end the session.
fn say(note: Option<&str>, messages: &mut dyn Write) {
    if let Some(note) = note {
        let _ = writeln!(messages, "pintrace: {note}");
    }
}

/// Lets the command run to its end without a session. pintrace does not kill the command.
async fn unrecorded(
    session: Session,
    command: Option<Child>,
    stops: &mut Stops,
    messages: &mut dyn Write,
) -> anyhow::Result<()> {
    // Detaches the hooks, which would slow down the command without a recording.
    drop(session);
    if let Some(mut command) = command {
        writeln!(
            messages,
            "pintrace: the command continues and is no longer recorded"
        )?;
        command.finish(stops).await;
    }
    Ok(())
}

/// Returns the exit code of the command, or 0 without a command.
pub(super) fn exit(stopped: &Stopped) -> Exit {
    stopped
        .exit_code
        .map_or(Exit::Done, |code| Exit::Command(u8::try_from(code).unwrap_or(1)))
}

/// Waits for the first of three events: the end of the command, the time limit, a signal. With a command, a signal is
/// passed on to the command and does not end the wait.
async fn until_done(limit: Option<Duration>, command: Option<&mut Child>, stops: &mut Stops) -> Stopped {
    let time = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let stopped = |reason: &str, exit_code| Stopped {
        reason: reason.to_owned(),
        exit_code,
    };
    let Some(command) = command else {
        return tokio::select! {
            () = time => stopped("duration", None),
            _ = stops.next() => stopped("signal", None),
        };
    };
    tokio::select! {
        code = command.finish(stops) => stopped("command", Some(code)),
        () = time => stopped("duration", None),
    }
}
