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
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
