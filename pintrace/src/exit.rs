//! How pintrace ends, as the shell sees it.

use std::process::ExitCode;

/// The exit codes; part of the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for was done. A reader that went away (broken pipe) has had enough: done too.
    #[default]
    Done,
    /// It failed at run time.
    Failed,
    /// The command line makes no sense; clap uses the same code.
    Usage,
    /// This kernel, or these privileges, allow no tracing.
    CannotTrace,
    /// Done, and `check` or `doctor` found something.
    IssuesFound,
    /// What a command run on the user's behalf ended with.
    Command(u8),
}

impl Exit {
    /// The number.
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
