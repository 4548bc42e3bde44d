//! The exit codes of pintrace.

use std::process::ExitCode;

/// The end of a command. The exit codes are part of the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exit {
    /// The command succeeded. A broken pipe counts as success.
    #[default]
    Done,
    /// The command failed at run time.
    Failed,
    /// The command line is wrong; clap uses the same code.
    Usage,
    /// This kernel or the privileges of this process allow neither tracing nor scanning.
    CannotTrace,
    /// `check` or `doctor` succeeded and found issues.
    IssuesFound,
    /// The exit code of the command that `record` or `check` ran.
    Command(u8),
}

impl Exit {
    /// Returns the exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::CannotTrace => 3,
            Self::IssuesFound => 4,
            Self::Command(code) => code,
        }
    }

    /// Returns what the code means, as one sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "The command succeeded. A closed pipe counts as success.",
            Self::Failed => "The command failed at run time.",
            Self::Usage => "The command line is wrong.",
            Self::CannotTrace => {
                "Neither tracing nor scanning is possible with this kernel or these privileges."
            }
            Self::IssuesFound => "check or doctor found issues.",
            Self::Command(_) => {
                "The exit code of the command that record or check ran, or 128 + n if signal n killed the command."
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
