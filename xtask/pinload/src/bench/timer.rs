//! Decides when a repeated operation ends, and measures the time.

use std::process::{Child, Command};

use crate::failure::{Explain, Failure, Result};
use crate::report;

/// Number of operations after which the timer looks whether the command still runs.
const LOOK_EVERY: u64 = 64;

/// The number of operations to make, or the command that runs meanwhile.
enum End {
    Operations(u64),
    Command { child: Child, code: Option<i32> },
}

/// The time of a repeated operation.
pub(super) struct Timer {
    end: End,
    operations: u64,
    elapsed_ns: u64,
    longest_ns: u64,
}

impl Timer {
    /// Makes this number of operations.
    pub(super) const fn count(operations: u64) -> Self {
        Self::new(End::Operations(operations))
    }

    /// Starts the command, and repeats the operation until the command ends. The output of the command is dropped, so
    /// that standard output holds only the result.
    pub(super) fn command(command: &[String]) -> Result<Self> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| Failure::usage("no command is given", "give a command after --"))?;
        let child = Command::new(program)
            .args(arguments)
            .stdout(std::process::Stdio::null())
            .spawn()
            .failing(&format!("cannot start {program}"), "give a program on the PATH")?;
        Ok(Self::new(End::Command { child, code: None }))
    }

    const fn new(end: End) -> Self {
        Self {
            end,
            operations: 0,
            elapsed_ns: 0,
            longest_ns: 0,
        }
    }

    /// Makes rounds of `size` operations until the end. `prepare` runs before each round, outside the measured time.
    /// `operate` makes the operation with the given number of the round.
    pub(super) fn rounds<T>(
        &mut self,
        size: u64,
        mut prepare: impl FnMut() -> Result<T>,
        mut operate: impl FnMut(&mut T, u64) -> Result<()>,
    ) -> Result<()> {
        while !self.has_ended()? {
            let size = match self.end {
                End::Operations(all) => size.min(all - self.operations),
                End::Command { .. } => size,
            };
            let mut prepared = prepare()?;
            let each = matches!(self.end, End::Command { .. });
            let began = report::now_ns();
            let mut before = began;
            for number in 0..size {
                operate(&mut prepared, number)?;
                if each {
                    let now = report::now_ns();
                    self.longest_ns = self.longest_ns.max(now - before);
                    before = now;
                }
            }
            self.elapsed_ns += report::now_ns() - began;
            self.operations += size;
        }
        Ok(())
    }

    /// Repeats an operation that needs no preparation.
    pub(super) fn repeat(&mut self, mut operate: impl FnMut() -> Result<()>) -> Result<()> {
        let size = match self.end {
            End::Operations(all) => all,
            End::Command { .. } => LOOK_EVERY,
        };
        self.rounds(size, || Ok(()), |(), _| operate())
    }

    fn has_ended(&mut self) -> Result<bool> {
        match &mut self.end {
            End::Operations(all) => Ok(self.operations >= *all),
            End::Command { child, code } => {
                let status = child
                    .try_wait()
                    .failing("cannot watch the command", "report this as a bug of pinload")?;
                *code = status.map(|status| status.code().unwrap_or(128));
                Ok(status.is_some())
            }
        }
    }

    /// Returns the number of operations made.
    pub(super) const fn operations(&self) -> u64 {
        self.operations
    }

    /// Returns the time of all operations.
    pub(super) const fn elapsed_ns(&self) -> u64 {
        self.elapsed_ns
    }

    /// Returns the time of the longest operation, if a command ran.
    pub(super) const fn longest_ns(&self) -> Option<u64> {
        match self.end {
            End::Operations(_) => None,
            End::Command { .. } => Some(self.longest_ns),
        }
    }

    /// Returns the exit code of the command.
    pub(super) const fn command_code(&self) -> Option<i32> {
        match self.end {
            End::Operations(_) => None,
            End::Command { code, .. } => code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_round_is_shortened() {
        let mut timer = Timer::count(10);
        let mut rounds = Vec::new();
        timer
            .rounds(
                4,
                || Ok(0),
                |made, number| {
                    *made += 1;
                    rounds.push(number);
                    Ok(())
                },
            )
            .unwrap();
        assert_eq!(rounds, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]);
        assert_eq!((timer.operations(), timer.longest_ns()), (10, None));
    }

    #[test]
    fn a_command_ends_the_repetition() {
        // The command waits for the first operation, however busy the machine is.
        let began = std::env::temp_dir().join(format!("pinload-timer-{}", std::process::id()));
        let script = format!("until [ -e '{}' ]; do :; done; exit 3", began.display());
        let words = ["sh", "-c", &script].map(str::to_owned);
        let mut timer = Timer::command(&words).unwrap();
        timer
            .repeat(|| {
                std::thread::sleep(std::time::Duration::from_micros(100));
                std::fs::write(&began, "").unwrap();
                Ok(())
            })
            .unwrap();
        std::fs::remove_file(&began).unwrap();
        assert_eq!(timer.command_code(), Some(3));
        assert!(timer.operations() > 0 && timer.longest_ns() >= Some(100_000));
    }
}
