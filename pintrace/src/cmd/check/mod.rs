//! `pintrace check`: runs a command, and fails if findings or losses occurred while it ran.

mod allow;
mod file;
mod json;
mod junit;
mod losses;
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
use pintrace_kernel::kallsyms::Kallsyms;
use pintrace_model::finding::FindingKind;
use pintrace_model::snapshot::Snapshot;

use self::allow::AllowFile;
use self::file::ReportFile;
use self::result::{CheckResult, CheckRules};
use super::detach::detach;
use super::recording_file;
use super::run_session::{SessionEnd, SessionRun, exit};
use super::trace_args::{ExtraFindings, TraceArgs, map_entries};

/// The time between two samples.
const INTERVAL: Duration = Duration::from_secs(1);

/// The command line of `check`.
///
/// The findings of all processes of this host count: a daemon often does the work of a command, so pintrace does not
/// follow the command's children. Run the check on a host where no other process pins, or name the findings of other
/// processes in a file for --allow.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 4 findings or losses, 3 cannot trace here, 2 wrong usage or a bad allow file, 1 failed; \
                  otherwise the exit code of COMMAND, 128 + N if signal N killed it."
)]
pub struct Args {
    /// Fail only on findings of these kinds, if the finding is certain, with any severity. Without this option, each
    /// hazard and alarm fails the check, and notes are listed.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub fail_on: Vec<FindingKind>,
    /// Read known findings, which do not fail the check, from this TOML file (see docs/check.md).
    #[arg(long, value_name = "FILE")]
    pub allow: Option<PathBuf>,
    /// Do not fail on losses. After a loss, findings may be missing.
    #[arg(long)]
    pub allow_loss: bool,
    /// Findings that need extra hooks.
    #[command(flatten)]
    pub extra: ExtraFindings,
    /// Record the session into this file as well, for `pintrace report`.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file of --output even if it is no recording.
    #[arg(long, requires = "output")]
    pub force: bool,
    /// The format of the file of --report-file.
    #[arg(long, value_enum, default_value_t, requires = "report_file")]
    pub format: Format,
    /// Write a report into this file, whether the check passes or fails. The text goes to stderr in any case.
    #[arg(long, value_name = "FILE")]
    pub report_file: Option<PathBuf>,
    /// Read the kernel's types from this raw BTF file instead of /sys/kernel/btf/vmlinux.
    #[arg(long, value_name = "PATH")]
    pub btf: Option<PathBuf>,
    /// Do not restrict pintrace once its hooks are attached (docs/privileges.md).
    #[arg(long)]
    pub no_sandbox: bool,
    /// Set the number of entries of a map (bytes for RING), such as RING=4096: for tests.
    #[arg(long, value_name = "MAP=N", hide = true, value_parser = map_entries)]
    pub map_entries: Vec<(&'static str, u32)>,
    /// The command to check. The command runs as the user who called sudo.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// The format of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text, as on stderr.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// JUnit XML.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
}

fn kind(name: &str) -> Result<FindingKind, String> {
    FindingKind::parse(name).ok_or_else(|| format!("no such kind: the kinds are {}", allow::kinds()))
}

/// Checks a command, and writes the result to `messages`.
pub fn run(args: &Args, messages: &mut dyn Write) -> anyhow::Result<Exit> {
    let allowed = match args.allow.as_deref().map(AllowFile::read).transpose() {
        Ok(allowed) => allowed.unwrap_or_default(),
        Err(error) => {
            writeln!(messages, "pintrace: {error}")?;
            return Ok(Exit::Usage);
        }
    };
    if let Some(location) = allowed.names_code()
        && !Kallsyms::read(Path::new("/proc/kallsyms")).has_addresses()
    {
        writeln!(
            messages,
            "pintrace: {location}: the entry names kernel code, and kernel addresses are hidden, so the entry would \
             match nothing. Set kernel.kptr_restrict to 1 (sysctl), and run pintrace as root or with CAP_SYSLOG"
        )?;
        return Ok(Exit::CannotTrace);
    }
    // Open the files before privileges are dropped and before the command starts, so that a wrong path fails at once.
    let report = args.report_file.as_deref().map(ReportFile::open).transpose()?;
    let mut recording = args
        .output
        .as_deref()
        .map(|path| recording_file::create(path, args.force))
        .transpose()?;
    let mut last = Snapshot::default();
    let mut fold = Fold::new(|model| last = model.snapshot());
    let mut sinks: Vec<&mut dyn Sink> = vec![&mut fold];
    sinks.extend(recording.as_mut().map(|recording| recording as &mut dyn Sink));
    let live = live(args);
    let files: Vec<_> = [&args.report_file, &args.output]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
        .collect();
    let session = SessionRun {
        live: &live,
        command: &args.command,
        interval: INTERVAL,
        limit: None,
        files: &files,
        running: None,
    };
    let (stopped, session) = match session.run(&mut sinks, messages)? {
        SessionEnd::Ended(stopped, session) => (stopped, session),
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
    // Write the file before stderr, because the file must be written even if stderr is closed.
    if let Some(report) = report {
        report.write(&render(&result, args.format)?)?;
    }
    messages.write_all(text::render(&result).as_bytes())?;
    detach(*session, messages);
    Ok(if result.passed() {
        exit(&stopped)
    } else {
        Exit::IssuesFound
    })
}

/// Returns the options of the session: mode trace only, because a scan makes no findings, and each check would pass in
/// mode scan.
fn live(args: &Args) -> TraceArgs {
    TraceArgs {
        btf: args.btf.clone(),
        mode: Mode::Trace,
        scan_budget: SCAN_BUDGET,
        budget: None,
        findings_from: None,
        no_findings: false,
        extra: args.extra,
        #[cfg(feature = "bpf-log")]
        bpf_log: false,
        no_sandbox: args.no_sandbox,
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
