//! Parses the command line, runs the command, and maps each error to an exit code.

use std::io::{self, Write};

use clap::{Parser, Subcommand};

use crate::cmd;
use crate::exit::Exit;
use crate::pipeline::own_cost::statistics::COMMAND as STATISTICS_COMMAND;

/// Shows who holds pinned memory, and since when: an eBPF tracer for the kernel's pin functions.
#[derive(Debug, Parser)]
#[command(
    name = "pintrace",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 cannot trace here, 4 `check` or `doctor` found issues."
)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which processes hold pins now.
    Top(cmd::top::Args),
    /// Scan memory for all pages that are pinned now, at whatever time they were pinned; attaches no hooks.
    Scan(cmd::scan::Args),
    /// Record a trace into a file, while a command runs or until a signal arrives.
    Record(cmd::record::Args),
    /// Run a command, and fail if findings or losses occur while the command runs: for tests and CI.
    Check(cmd::check::Args),
    /// Report the content of a recording.
    Report(cmd::report::Args),
    /// Show a recording in the view of `top`, at any moment of it.
    Replay(cmd::replay::Args),
    /// Serve metrics to Prometheus.
    Serve(cmd::serve::Args),
    /// Enable the kernel's BPF statistics on request of another process of pintrace.
    #[command(name = STATISTICS_COMMAND, hide = true)]
    BpfStatistics(cmd::bpf_statistics::Args),
    /// Report the abilities of this kernel, the chosen hooks, and the missing hooks.
    Doctor(cmd::doctor::Args),
    /// Show the configuration of the live view, its files, or its commands and keys.
    Config(cmd::config::Args),
    /// Generate man pages, shell completions, systemd units and the configuration of the system.
    Generate(cmd::generate::Args),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> Exit {
    let Cli { command } = Cli::parse();
    let result = match command {
        Command::Top(args) => cmd::top::run(&args, &mut io::stdout()),
        Command::Scan(args) => cmd::scan::run(&args, &mut io::stdout()),
        Command::Record(args) => cmd::record::run(&args, &mut io::stderr()),
        Command::Check(args) => cmd::check::run(&args, &mut io::stderr()),
        Command::Serve(args) => cmd::serve::run(&args, &mut io::stderr()),
        Command::BpfStatistics(args) => cmd::bpf_statistics::run(args),
        Command::Doctor(args) => cmd::doctor::run(&args, &mut io::stdout()),
        Command::Config(args) => cmd::config::run(&args, &mut io::stdout()),
        Command::Generate(args) => cmd::generate::run(&args, &mut io::stdout()),
        Command::Replay(args) => cmd::replay::run(&args, &mut io::stderr()),
        Command::Report(args) => cmd::report::run(&args, &mut io::stdout().lock(), &mut io::stderr()),
    };
    result.unwrap_or_else(|error| failed(&error))
}

/// Prints an error and returns its exit code. A broken pipe is no failure: the reader has closed the pipe.
fn failed(error: &anyhow::Error) -> Exit {
    if is_broken_pipe(error) {
        return Exit::Done;
    }
    // If stderr is closed too, the exit code is the only message.
    if error.is::<cmd::view_rows::Mistake>() {
        let _ = writeln!(io::stderr(), "error: {error}");
        return Exit::Usage;
    }
    let _ = writeln!(io::stderr(), "pintrace: {}", describe(error));
    if error.is::<cmd::cannot_trace::CannotTrace>() {
        return Exit::CannotTrace;
    }
    Exit::Failed
}

/// Returns an error with its causes. A cause that the text names already is left out, because many errors name their
/// cause and add a remedy.
fn describe(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |text, cause| {
            if text.is_empty() {
                cause
            } else if text.contains(&cause) {
                text
            } else {
                format!("{text}: {cause}")
            }
        })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io_errors = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    io_errors
        .into_iter()
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cause_is_named_once() {
        let nested = anyhow::anyhow!("disk full")
            .context("cannot write")
            .context("x.pintrace");
        assert_eq!(describe(&nested), "x.pintrace: cannot write: disk full");
        let named = anyhow::anyhow!("disk full").context("cannot write: disk full; free some space");
        assert_eq!(describe(&named), "cannot write: disk full; free some space");
    }

    #[test]
    fn a_broken_pipe_is_no_failure() {
        let pipe = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
        assert_eq!(failed(&pipe), Exit::Done);
        assert_eq!(failed(&anyhow::anyhow!("anything else")), Exit::Failed);
    }
}
