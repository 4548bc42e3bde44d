//! The conditions that end the holding of pins.

use std::io;
use std::thread;
use std::time::Duration;

use crate::cli::CommonArgs;
use crate::failure::{Explain, Result};

/// The event that ends the holding.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HoldCondition {
    /// The duration has elapsed.
    Elapsed(Duration),
    /// A line, or end of file, has arrived on standard input.
    StdinLine,
}

impl HoldCondition {
    /// Returns the condition that the command line asks for.
    pub(crate) fn of(common: &CommonArgs) -> Self {
        Self::new(common.hold, common.hold_until_stdin)
    }

    /// Returns a condition for a duration, or for a line on standard input.
    pub(crate) fn new(hold: Option<Duration>, until_stdin: bool) -> Self {
        if until_stdin {
            Self::StdinLine
        } else {
            Self::Elapsed(hold.unwrap_or_default())
        }
    }

    /// Waits until the condition holds.
    pub(crate) fn wait(self) -> Result<()> {
        match self {
            // The user asks for this fixed time.
            Self::Elapsed(duration) => thread::sleep(duration),
            Self::StdinLine => {
                let mut line = String::new();
                io::stdin().read_line(&mut line).failing(
                    "cannot read standard input",
                    "give pinload a pipe or /dev/null as standard input",
                )?;
            }
        }
        Ok(())
    }
}
