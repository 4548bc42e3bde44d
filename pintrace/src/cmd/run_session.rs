//! A session into sinks, while a command runs or until it is to stop.

use std::io::Write;
use std::time::Duration;

use crate::exit::Exit;
use crate::pipeline::run::{RunError, run as run_session};
use crate::pipeline::sink::Sink;
use pintrace_events::Stopped;

use super::child::{self, Child};
use super::privileges::{self, Uses};
use super::signals::Stops;
use super::trace_args::{TraceArgs, start};

/// What to watch, and for how long.
pub(super) struct SessionRun<'a> {
    /// How to trace.
    pub(super) live: &'a TraceArgs,
    /// The command line that runs meanwhile; empty for none.
    pub(super) command: &'a [String],
    /// How often figures are sampled.
    pub(super) interval: Duration,
    /// The end, if neither the command nor a signal comes first.
    pub(super) limit: Option<Duration>,
}

/// How it went.
pub(super) enum SessionEnd {
    /// To its end.
    Ended(Stopped),
    /// It did not, which has been said: the command could not be run, or a sink takes no more.
    Failed(Exit),
}

impl SessionRun<'_> {
    /// Watches. What goes wrong with the command or a sink is said to `messages`.
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
        // Before anything starts: a signal from now on ends the session in order.
        let mut stops = Stops::listen()?;
        let (mut session, first) = start(self.live, self.command.to_vec())?;
        // Everything is attached: only now may the command begin.
        let mut command = match child::spawn(self.command) {
            Ok(command) => command,
            Err(error) => {
                writeln!(messages, "pintrace: {error}")?;
                return Ok(SessionEnd::Failed(Exit::Command(error.exit_code())));
            }
        };
        // The command has begun with all that its user has.
        let uses = Uses {
            command: command.is_some(),
            processes: session.reads_processes(),
        };
        privileges::give_up(uses)?;
        let stop = until_done(self.limit, command.as_mut(), &mut stops);
        match run_session(&mut session, first, self.interval, sinks, stop).await {
            Ok(stopped) => Ok(SessionEnd::Ended(stopped)),
            Err(RunError::Sink(error)) => {
                writeln!(messages, "pintrace: {error}")?;
                // What cannot be recorded is not to cost anything either.
                drop(session);
                // The command is not ours to kill: it goes on, unrecorded.
                if let Some(command) = &mut command {
                    writeln!(messages, "pintrace: the command goes on without being recorded")?;
                    command.finish(&mut stops).await;
                }
                Ok(SessionEnd::Failed(Exit::Failed))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The exit code of the command that ran, if one did.
pub(super) fn exit(stopped: &Stopped) -> Exit {
    stopped
        .exit_code
        .map_or(Exit::Done, |code| Exit::Command(u8::try_from(code).unwrap_or(1)))
}

/// Whichever comes first: the command's end, the end of the time, a signal.
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
