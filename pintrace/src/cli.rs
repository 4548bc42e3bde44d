//! The command line: which commands there are, and how their end becomes an exit code.

use std::io::{self, Write};

use clap::{Parser, Subcommand};

use crate::cmd;
use crate::exit::Exit;

/// Who holds pinned memory, and since when: an eBPF tracer for the kernel's pin paths.
#[derive(Debug, Parser)]
#[command(
    name = "pintrace",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 cannot trace here, 4 `check` or `doctor` found something."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show who holds pins now.
    Top(cmd::top::Args),
    /// Find every pinned page now, however long ago it was pinned, without attaching anything.
    Scan(cmd::scan::Args),
    /// Record everything that happens into a file, while a command runs or until stopped.
    Record(cmd::record::Args),
    /// Run a command, and fail if pinned pages were touched meanwhile, or something was lost: for tests.
    Check(cmd::check::Args),
    /// Say what happened, from a recording.
    Report(cmd::report::Args),
    /// Serve the figures to Prometheus.
    Serve(cmd::serve::Args),
    /// Say what this kernel offers, what was chosen, and what is missing.
    Doctor(cmd::doctor::Args),
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
        Command::Doctor(args) => cmd::doctor::run(&args, &mut io::stdout()),
        Command::Report(args) => cmd::report::run(&args, &mut io::stdout().lock(), &mut io::stderr()),
    };
    result.unwrap_or_else(|error| failed(&error))
}

/// Says what went wrong. A reader that went away has had enough, which is no failure.
fn failed(error: &anyhow::Error) -> Exit {
    if is_broken_pipe(error) {
        return Exit::Done;
    }
    // With stderr gone too, the exit code must do.
    let _ = writeln!(io::stderr(), "pintrace: {}", describe(error));
    if error.is::<cmd::trace_args::CannotTrace>() {
        return Exit::CannotTrace;
    }
    Exit::Failed
}

/// The error with its causes, each once: many name theirs themselves, with a remedy behind it.
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
