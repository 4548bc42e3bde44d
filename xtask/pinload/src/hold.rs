//! How long pins are held.

use std::io;
use std::thread;
use std::time::Duration;

use crate::cli::CommonArgs;
use crate::failure::{Explain, Result};

/// What ends the holding.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HoldCondition {
    /// Time.
    Elapsed(Duration),
    /// A line on standard input, or its end.
    StdinLine,
}

impl HoldCondition {
    /// The gate that the command line asks for.
    pub(crate) fn of(common: &CommonArgs) -> Self {
        Self::new(common.hold, common.hold_until_stdin)
    }

    /// A gate that opens after a time, or at a line.
    pub(crate) fn new(hold: Option<Duration>, until_stdin: bool) -> Self {
        if until_stdin {
            Self::StdinLine
        } else {
            Self::Elapsed(hold.unwrap_or_default())
        }
    }

    /// Waits at the gate.
    pub(crate) fn wait(self) -> Result<()> {
        match self {
            Self::Elapsed(duration) => thread::sleep(duration),
            Self::StdinLine => {
                let mut line = String::new();
                io::stdin()
                    .read_line(&mut line)
                    .failing("cannot read standard input", "give it a pipe or /dev/null")?;
            }
        }
        Ok(())
    }
}
