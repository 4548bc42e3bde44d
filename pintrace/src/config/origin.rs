//! The source of a value.

use std::fmt;
use std::path::PathBuf;

use pintrace_model::text::printable;

/// The source of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// pintrace itself.
    Default,
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment(&'static str),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { path, line } => {
                write!(formatter, "{}:{line}", printable(&path.display().to_string()))
            }
            Self::Environment(name) | Self::Flag(name) => formatter.write_str(name),
        }
    }
}
