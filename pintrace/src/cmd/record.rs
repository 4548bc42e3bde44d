//! `pintrace record`: everything that happens, into a file.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use crate::event::{Missing, Stopped};
use crate::exit::Exit;
use crate::model::snapshot::Snapshot;
use crate::pipeline::run::{RunError, run as run_session};
use crate::pipeline::sink::Fold;
use crate::record::{Existing, Recording};

use super::child::{self, Child};
use super::live::{LiveArgs, duration, start};
use super::privileges::{self, Uses};
use super::signals::Stops;

/// The command line of `record`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where the recording goes.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace FILE even if it is no recording.
    #[arg(long)]
    pub force: bool,
    /// Stop after this time, such as 30s or 10m.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// How often figures are sampled.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub interval: Duration,
    /// Record while this command runs (as the user who called sudo), and exit with its code.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented on its own type")]
    pub live: LiveArgs,
}

/// Records, and prints a summary to `messages`.
pub fn run(args: &Args, messages: &mut dyn Write) -> anyhow::Result<Exit> {
    let existing = if args.force {
        Existing::Replace
    } else {
        Existing::KeepForeign
    };
    let recording = Recording::create(&args.output, existing)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(record(args, recording, messages))
}

async fn record(args: &Args, mut recording: Recording, messages: &mut dyn Write) -> anyhow::Result<Exit> {
    // Before anything starts: a signal from now on ends the recording in order.
    let mut stops = Stops::listen()?;
    let (mut session, first) = start(&args.live, args.command.clone())?;
    let mut last = Snapshot::default();
    let mut fold = Fold::new(|model| last = model.snapshot());
    // Everything is attached: only now may the command begin.
    let mut command = match child::spawn(&args.command) {
        Ok(command) => command,
        Err(error) => {
            drop(recording);
            writeln!(messages, "pintrace: {error}")?;
            return Ok(Exit::Command(error.exit_code()));
        }
    };
    // The command has begun with all that its user has.
    let uses = Uses {
        command: command.is_some(),
        processes: session.reads_processes(),
    };
    privileges::give_up(uses)?;
    let stop = until_done(args.duration, command.as_mut(), &mut stops);
    let outcome = run_session(
        &mut session,
        first,
        args.interval,
        &mut [&mut recording, &mut fold],
        stop,
    )
    .await;
    drop(fold);
    let stopped = match outcome {
        Ok(stopped) => stopped,
        Err(RunError::Sink(error)) => {
            writeln!(messages, "pintrace: {error}")?;
            // What cannot be recorded is not to cost anything either.
            drop(session);
            // The command is not ours to kill: it goes on, unrecorded.
            if let Some(command) = &mut command {
                writeln!(messages, "pintrace: the command goes on without being recorded")?;
                command.finish(&mut stops).await;
            }
            return Ok(Exit::Failed);
        }
        Err(error) => return Err(error.into()),
    };
    recording.finish()?;
    let events = recording.written_events();
    let bytes = recording.written_bytes();
    write!(messages, "{}", summary(&last))?;
    writeln!(
        messages,
        "{}: {events} events, {bytes} bytes",
        args.output.display()
    )
    .context("cannot print the summary")?;
    Ok(stopped
        .exit_code
        .map_or(Exit::Done, |code| Exit::Command(u8::try_from(code).unwrap_or(1))))
}

/// What was pinned, whether it adds up, what was lost.
fn summary(snapshot: &Snapshot) -> String {
    let truth = &snapshot.truth;
    let seconds = snapshot.duration.as_secs();
    let pins = format!(
        "{seconds:.1} s: {} pages pinned, {} released, {} held",
        truth.ledger_acquired, truth.ledger_released, truth.ledger_held
    );
    let books = if truth.books_readable {
        format!(
            "books: {} pinned, {} released, {} internal; unaccounted {}",
            truth.books_acquired, truth.books_released, truth.internal, truth.unaccounted
        )
    } else {
        "books: cannot be read (needs root), so nothing can be checked against them".to_owned()
    };
    let lost: Vec<_> = snapshot.loss.iter().filter(|(_, count)| *count != 0).collect();
    let lost = if lost.is_empty() {
        "nothing".to_owned()
    } else {
        lost.iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut lines = vec![pins, books, format!("lost: {lost}")];
    let started = &snapshot.started;
    if started.witness == "state" {
        lines[0] = format!("{seconds:.1} s: {} pages held at the end", truth.ledger_held);
        if truth.books_readable {
            lines[1] = format!(
                "books: {} held; unaccounted {}",
                truth.books_held, truth.unaccounted
            );
        }
        lines.push(
            "not seen: who pins and releases, and when: memory was looked at, and nothing traced".to_owned(),
        );
    }
    let missing = snapshot.started.missing.iter();
    lines.extend(missing.map(|Missing { function, why, lost }| {
        format!("not seen: {lost} ({function} could not be hooked: {why})")
    }));
    lines.join("\n") + "\n"
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
