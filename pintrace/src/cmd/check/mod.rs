//! `pintrace check`: runs a command, and fails when something was found about pinned pages meanwhile.

mod allow;
mod file;
mod json;
mod junit;
mod result;
mod sarif;
#[cfg(test)]
mod tests;
mod text;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use crate::exit::Exit;
use crate::pipeline::sink::{Fold, Sink};
use crate::pipeline::start::{Mode, SCAN_BUDGET};
use pintrace_model::finding::FindingKind;
use pintrace_model::snapshot::Snapshot;
use pintrace_record::{Existing, Recording};

use self::allow::AllowFile;
use self::file::ReportFile;
use self::result::{CheckResult, CheckRules};
use super::run_session::{SessionEnd, SessionRun, exit};
use super::trace_args::{ExtraFindings, TraceArgs, map_entries};

/// How often figures are sampled.
const INTERVAL: Duration = Duration::from_secs(1);

/// The command line of `check`.
///
/// Findings of every process of the host count, since a command's work is often done by a daemon, and whose child a
/// process is cannot always be known: run it where nothing else pins, or allow the others by name with --allow.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 4 something was found or lost, 3 cannot trace here, 2 wrong usage or a bad allow file, \
                  1 failed, else COMMAND's own (128 + n if signal n killed it)."
)]
pub struct Args {
    /// Fail on findings of these kinds alone, however severe they are, if they are certain. Without it, findings that are a hazard or an
    /// alarm fail, and notes are listed.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub fail_on: Vec<FindingKind>,
    /// Findings that are known and do not fail (TOML; see docs/check.md).
    #[arg(long, value_name = "FILE")]
    pub allow: Option<PathBuf>,
    /// Pass in spite of loss: a finding may be missing then.
    #[arg(long)]
    pub allow_loss: bool,
    /// What to look for beyond the usual.
    #[command(flatten)]
    pub extra: ExtraFindings,
    /// Record everything into this file as well, for `pintrace report`.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file of --output even if it is no recording.
    #[arg(long, requires = "output")]
    pub force: bool,
    /// How the report file is written.
    #[arg(long, value_enum, default_value_t, requires = "report_file")]
    pub format: Format,
    /// Write the report into this file, whatever comes out; stderr gets it as text all the same.
    #[arg(long, value_name = "FILE")]
    pub report_file: Option<PathBuf>,
    /// Read the kernel's types from this raw BTF file.
    #[arg(long, value_name = "PATH")]
    pub btf: Option<PathBuf>,
    /// Give a map another number of entries (bytes for RING), such as RING=4096: for tests.
    #[arg(long, value_name = "MAP=N", hide = true, value_parser = map_entries)]
    pub map_entries: Vec<(&'static str, u32)>,
    /// What is checked (runs as the user who called sudo).
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Formats of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object.
    Json,
    /// Test cases, in XML.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
}

fn kind(name: &str) -> Result<FindingKind, String> {
    FindingKind::parse(name).ok_or_else(|| format!("no such kind; there are {}", allow::kinds()))
}

/// Checks, and says what came out to `messages`.
pub fn run(args: &Args, messages: &mut dyn Write) -> anyhow::Result<Exit> {
    let allowed = match args.allow.as_deref().map(AllowFile::read).transpose() {
        Ok(allowed) => allowed.unwrap_or_default(),
        Err(error) => {
            writeln!(messages, "pintrace: {error}")?;
            return Ok(Exit::Usage);
        }
    };
    // Opened before privileges are given up, and before the command starts: a wrong path is told at once.
    let report = args.report_file.as_deref().map(ReportFile::open).transpose()?;
    let mut recording = args
        .output
        .as_deref()
        .map(|path| recording(path, args.force))
        .transpose()?;
    let mut last = Snapshot::default();
    let mut fold = Fold::new(|model| last = model.snapshot());
    let mut sinks: Vec<&mut dyn Sink> = vec![&mut fold];
    sinks.extend(recording.as_mut().map(|recording| recording as &mut dyn Sink));
    let live = live(args);
    let session = SessionRun {
        live: &live,
        command: &args.command,
        interval: INTERVAL,
        limit: None,
    };
    let stopped = match session.run(&mut sinks, messages)? {
        SessionEnd::Ended(stopped) => stopped,
        SessionEnd::Failed(exit) => return Ok(exit),
    };
    drop(sinks);
    drop(fold);
    if let Some(recording) = &mut recording {
        recording.finish()?;
    }
    let rules = CheckRules {
        fail_on: &args.fail_on,
        allowed: &allowed,
        allow_loss: args.allow_loss,
    };
    let result = CheckResult::reach(&last, &rules);
    // The file first: whoever reads it must not lose it because stderr was closed.
    if let Some(report) = report {
        report.write(&render(&result, args.format)?)?;
    }
    messages.write_all(text::render(&result).as_bytes())?;
    Ok(if result.passed() {
        exit(&stopped)
    } else {
        Exit::IssuesFound
    })
}

fn recording(path: &Path, force: bool) -> anyhow::Result<Recording> {
    let existing = if force {
        Existing::Replace
    } else {
        Existing::KeepForeign
    };
    Ok(Recording::create(path, existing)?)
}

/// Events or nothing: who only looks at memory finds nothing, and would let everything pass.
fn live(args: &Args) -> TraceArgs {
    TraceArgs {
        btf: args.btf.clone(),
        mode: Mode::Trace,
        scan_budget: SCAN_BUDGET,
        no_findings: false,
        extra: args.extra,
        #[cfg(feature = "bpf-log")]
        bpf_log: false,
        map_entries: args.map_entries.clone(),
    }
}

fn render(result: &CheckResult<'_>, format: Format) -> anyhow::Result<String> {
    Ok(match format {
        Format::Text => text::render(result),
        Format::Json => json::render(result)?,
        Format::Junit => junit::render(result)?,
        Format::Sarif => sarif::render(result)?,
    })
}
