//! What a case has set up: the processes that hold pins, the processes that do not, and all that must last meanwhile.

use std::any::Any;

use nix::unistd::{Pid, getpid};
use serde::Serialize;

use crate::child::{self, ForkedChild};
use crate::failure::Result;

/// The pins that a process holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct HeldPins {
    pid: i32,
    /// Pins, in pages of 4 KiB.
    pages: u64,
    subsystem: &'static str,
}

/// One case, set up.
#[derive(Default)]
pub(super) struct Situation {
    /// The processes with pins.
    pub(super) held: Vec<HeldPins>,
    /// Processes without pins, which a tracer may take for holders.
    pub(super) innocent: Vec<i32>,
    /// The pins that no process holds.
    ownerless: u64,
    children: Vec<ForkedChild>,
    kept: Vec<Box<dyn Any>>,
}

impl Situation {
    /// Notes pins of an io_uring of this process.
    pub(super) fn holds(&mut self, pages: u64) {
        self.is_held_by(getpid(), pages, "io_uring");
    }

    /// Notes pins of a process.
    pub(super) fn is_held_by(&mut self, pid: Pid, pages: u64, subsystem: &'static str) {
        self.held.push(HeldPins {
            pid: pid.as_raw(),
            pages,
            subsystem,
        });
    }

    /// Notes pins that no process holds.
    pub(super) const fn is_held_by_nobody(&mut self, pages: u64) {
        self.ownerless += pages;
    }

    /// Notes a process without pins.
    pub(super) fn is_innocent(&mut self, pid: Pid) {
        self.innocent.push(pid.as_raw());
    }

    /// Keeps a child until the release.
    pub(super) fn keep_child(&mut self, child: ForkedChild) {
        self.children.push(child);
    }

    /// Keeps an object until the release.
    pub(super) fn keep(&mut self, object: impl Any) {
        self.kept.push(Box::new(object));
    }

    /// Returns all pins.
    pub(super) fn pinned(&self) -> u64 {
        self.ownerless + self.held.iter().map(|held| held.pages).sum::<u64>()
    }

    /// Ends the children and drops the objects. Returns the first failure of a child.
    pub(super) fn release(self) -> Result<()> {
        drop(self.kept);
        let end = |child: ForkedChild| child.finish().and_then(child::check);
        self.children.into_iter().map(end).fold(Ok(()), Result::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_of_nobody_count_as_pinned() {
        let mut situation = Situation::default();
        situation.holds(64);
        situation.is_held_by(Pid::from_raw(7), 3, "udmabuf");
        situation.is_held_by_nobody(5);
        situation.is_innocent(Pid::from_raw(8));
        assert_eq!(situation.pinned(), 72);
        assert_eq!(situation.held[1].pid, 7);
        assert_eq!(situation.innocent, [8]);
    }
}
