//! `cargo xtask vm`: runs commands on Debian's kernels in an emulator; on this machine only the cache
//! changes.
//!
//! The project has its own guest harness because the tests need Debian's packaged kernels since 5.10 in three flavours,
//! neither root nor KVM on this machine, and the exit code, output and files of the command separate from the kernel's
//! console. Other harnesses share the root file system with the host (9p or virtiofs); Debian builds both as modules
//! and drops the modules of superseded kernels.

pub(crate) mod apt;
pub(crate) mod architecture;
pub(crate) mod cache;
mod cpio;
mod debian_root;
mod disk;
mod emulator;
pub(crate) mod guest;
mod initramfs;
pub(crate) mod kernel;
pub(crate) mod kernel_target;
mod libraries;
mod list;
mod modules;
mod options;
pub(crate) mod package;
pub(crate) mod parallel;
mod progress;
pub(crate) mod series;
mod vmlinux;

use std::io;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use guest::{GuestExit, TerminalSize};
pub(crate) use initramfs::GuestFile;
pub(crate) use options::GuestOptions;

use disk::GuestProgress;

/// Exit code if the guest exceeds its time limit, as in timeout(1).
const TIMED_OUT: u8 = 124;
/// Exit code if the kernel dies before the command ends.
const DIED: u8 = 125;

/// Actions on guests.
#[derive(Subcommand)]
pub(crate) enum VmTask {
    /// Run a command on a kernel; its output and its exit code become those of xtask
    ///
    /// Exit codes of xtask itself: 1 the guest could not be started, 2 usage error, 124 time limit, 125 the kernel
    /// died.
    Run(VmRun),
    /// Open a shell on a kernel; `exit` or Ctrl-A X ends it
    Shell(VmShell),
    /// Show the series on offer, with the newest build of each
    List,
}

/// The options of `vm run`.
#[derive(Args)]
pub(crate) struct VmRun {
    #[command(flatten)]
    guest: GuestOptions,
    /// The command: one word is a shell script, several words are a command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// The options of `vm shell`.
#[derive(Args)]
pub(crate) struct VmShell {
    #[command(flatten)]
    guest: GuestOptions,
}

impl VmTask {
    /// Runs the action.
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Self::Run(VmRun { guest, command }) => {
                let outcome = guest.prepare()?.run(&script(&command), &mut io::stdout())?;
                Ok(ExitCode::from(explain(&outcome)))
            }
            Self::Shell(VmShell { guest }) => on_terminal(&guest, "exec sh -l\n"),
            Self::List => list::run(),
        }
    }
}

/// Runs a script in a guest on the user's terminal.
pub(crate) fn on_terminal(guest: &GuestOptions, script: &str) -> Result<ExitCode> {
    let Ok(size) = rustix::termios::tcgetwinsize(io::stdin()) else {
        bail!("standard input is no terminal; `cargo xtask vm run` works without a terminal");
    };
    let terminal = TerminalSize {
        rows: size.ws_row,
        columns: size.ws_col,
    };
    let outcome = guest.prepare()?.run_on_terminal(script, &terminal)?;
    Ok(ExitCode::from(explain(&outcome)))
}

/// Returns the exit code, and prints the reason if the command did not end by itself.
pub(crate) fn explain(outcome: &GuestExit) -> u8 {
    match outcome {
        GuestExit::Exited(code) => *code,
        GuestExit::TimedOut(GuestProgress::Started) => {
            eprintln!(
                "xtask: the command did not end within the time limit (--timeout); the guest was killed"
            );
            TIMED_OUT
        }
        GuestExit::TimedOut(_) => {
            eprintln!(
                "xtask: the guest did not boot within the time limit (--timeout): the guest hangs while booting"
            );
            TIMED_OUT
        }
        GuestExit::Died(console) => {
            eprintln!("xtask: the guest's kernel died; the end of its console:\n{console}");
            DIED
        }
    }
}

fn script(command: &[String]) -> String {
    match command {
        [script] => format!("{script}\n"),
        words => words.iter().map(|word| quoted(word)).collect::<String>() + "\n",
    }
}

/// Quotes the word for the shell, and appends a blank.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}' ", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::script;

    #[test]
    fn one_word_is_a_script_and_more_are_a_command() {
        assert_eq!(script(&["echo a; echo b".to_owned()]), "echo a; echo b\n");
        assert_eq!(
            script(&["echo".to_owned(), "it's $HOME".to_owned()]),
            "'echo' 'it'\\''s $HOME' \n"
        );
    }
}
