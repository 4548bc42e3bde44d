//! `pintrace record`: records a session into a file.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use crate::exit::Exit;
use crate::pipeline::redact::Redact;
use crate::pipeline::sink::{Fold, Sink};
use pintrace_events::units::Nanos;
use pintrace_export::not_seen::not_seen;
use pintrace_model::Model;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::suppressed;
use pintrace_model::text::span;
use pintrace_text::counted;

use super::detach::detach;
use super::recording_file;
use super::run_session::{SessionEnd, SessionRun, exit};
use super::trace_args::{TraceArgs, duration};

/// The command line of `record`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Write the recording into this file. An earlier recording in FILE is moved to FILE.old.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace FILE even if it is no recording.
    #[arg(long)]
    pub force: bool,
    /// Leave kernel addresses, command lines and the name of the host out of the file, which can then be shown to others.
    /// Names of commands, cgroups and kernel functions stay.
    #[arg(long)]
    pub redact: bool,
    /// Stop after this time, such as 30s or 10m.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// The time between two samples, such as 500ms or 2s.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub interval: Duration,
    /// Record while this command runs, and exit with its exit code. The command runs as the user who called sudo.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented on its own type")]
    pub live: TraceArgs,
}

/// Records a session, and writes a summary to `messages`.
pub fn run(args: &Args, messages: &mut dyn Write) -> anyhow::Result<Exit> {
    let mut recording = recording_file::create(&args.output, args.force)?;
    let mut last = Snapshot::default();
    let mut fold = Fold::new(|model: &mut Model| {
        // The summary needs totals only. A recording without an end must not grow with the number of processes.
        model.forget_ended(0);
        last = model.snapshot();
    });
    let session = SessionRun {
        live: &args.live,
        command: &args.command,
        interval: args.interval,
        limit: args.duration,
        files: &[&args.output],
        running: args.command.is_empty().then(|| running(args)),
    };
    let mut redacted;
    let file: &mut dyn Sink = if args.redact {
        redacted = Redact::new(&mut recording);
        &mut redacted
    } else {
        &mut recording
    };
    let (stopped, session) = match session.run(&mut [file, &mut fold], messages)? {
        SessionEnd::Ended(stopped, session) => (stopped, session),
        SessionEnd::Failed(exit) => return Ok(exit),
    };
    drop(fold);
    recording.finish()?;
    let events = recording.written_events();
    let bytes = recording.written_bytes();
    write!(messages, "{}", summary(&last))?;
    writeln!(
        messages,
        "{}: {}, {}",
        args.output.display(),
        counted(events, "event"),
        counted(bytes, "byte")
    )
    .context("cannot print the summary")?;
    detach(*session, messages);
    Ok(exit(&stopped))
}

/// Returns the line for a recording without a command, which shows nothing else before its end.
fn running(args: &Args) -> String {
    let end = match args.duration {
        Some(duration) => {
            let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            format!("for {}, or until Ctrl-C", span(Nanos(nanoseconds)))
        }
        None => "until Ctrl-C".to_owned(),
    };
    format!("recording into {} {end}", args.output.display())
}

/// Returns the pages pinned, the comparison with vmstat, and the losses.
fn summary(snapshot: &Snapshot) -> String {
    let balance = &snapshot.balance;
    let seconds = snapshot.duration.as_secs();
    let pins = format!(
        "{seconds:.1} s: {} pinned, {} released, {} held",
        counted(balance.ledger_acquired, "page"),
        balance.ledger_released,
        balance.ledger_held
    );
    let vmstat = if balance.vmstat_readable {
        format!(
            "vmstat: {} pinned, {} released, {} gup_retry; unaccounted {}",
            balance.vmstat_acquired, balance.vmstat_released, balance.gup_retry, balance.unaccounted
        )
    } else {
        "vmstat: cannot be read (needs root), so the ledger is not compared with vmstat".to_owned()
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
    let mut lines = vec![pins, vmstat, format!("lost: {lost}")];
    if let Some(processes) = suppressed::processes(&snapshot.suppressed) {
        lines.push(format!("changes_suppressed: {processes}"));
    }
    let started = &snapshot.started;
    if started.mode == "scan" {
        let held = counted(balance.ledger_held.unsigned_abs(), "page");
        lines[0] = format!("{seconds:.1} s: {held} held at the end");
        if balance.vmstat_readable {
            lines[1] = format!(
                "vmstat: {} held; unaccounted {}",
                balance.vmstat_held, balance.unaccounted
            );
        }
        lines.push(
            "not seen: pins and releases with thread, time and stack (memory was scanned, nothing was traced)"
                .to_owned(),
        );
    }
    let not_seen = not_seen(&started.missing).into_iter();
    lines.extend(not_seen.map(|text| format!("not seen: {text}")));
    lines.join("\n") + "\n"
}
