//! Children that set something up and tell their parent so.

use std::io::Read;

use nix::unistd::Pid;

use super::{ForkedChild, ParentLink, check};
use crate::failure::{Failure, Result};

/// The message of a child that has set up everything.
pub(super) const READY: u8 = 1;

impl ForkedChild {
    /// Forks a child that sets something up, and that keeps it until the parent lets the child continue. Returns once
    /// all is set up.
    pub(crate) fn holding<T>(set_up: impl FnOnce() -> Result<T>) -> Result<Self> {
        let child = Self::fork(|parent| {
            let _kept = set_up()?;
            parent.ready()?;
            parent.wait()
        })?;
        child.when_ready()
    }

    /// Waits until the child is ready.
    pub(crate) fn when_ready(mut self) -> Result<Self> {
        let mut message = [0];
        match self.messages.read_exact(&mut message) {
            Ok(()) if message == [READY] => Ok(self),
            _ => Err(self.ended_early()?),
        }
    }

    /// Receives the numbers that the child sends; `None` if the child ends.
    pub(crate) fn receive_numbers<const N: usize>(&mut self) -> Option<[u64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            let mut bytes = [0; size_of::<u64>()];
            self.messages.read_exact(&mut bytes).ok()?;
            *number = u64::from_ne_bytes(bytes);
        }
        Some(numbers)
    }

    /// Waits for the end of the child. Returns the handle of a process that the child has forked, which has the same
    /// pipes, and which this process has adopted.
    pub(crate) fn succeeded_by(mut self, heir: Pid) -> Result<Self> {
        check(self.await_end()?)?;
        self.pid = heir;
        Ok(self)
    }

    /// Returns the failure of a child that ends without a message.
    pub(crate) fn ended_early(self) -> Result<Failure> {
        let without = Failure::failed("a child ended without a message", "report this as a bug");
        Ok(check(self.wait()?).err().unwrap_or(without))
    }
}

impl ParentLink {
    /// Tells the parent that all is set up.
    pub(crate) fn ready(&self) -> Result<()> {
        self.send(&[READY])
    }

    /// Sends numbers to the parent.
    pub(crate) fn send_numbers<const N: usize>(&self, numbers: [u64; N]) -> Result<()> {
        numbers
            .iter()
            .try_for_each(|number| self.send(&number.to_ne_bytes()))
    }
}
