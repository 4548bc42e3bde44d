//! One holder of pins: pins, reports, touches, releases, reports, and compares with the books.
//!
//! Knows nothing of other holders except that they take turns at the books.

use crate::books::Books;
use crate::choice::Release;
use crate::failure::{Failure, Result};
use crate::pins::Pins;
use crate::plan::Plan;
use crate::report::{self, Line};
use crate::touch;
use crate::turn::Turn;
use crate::workload::Workload;

/// A workload and what became of it.
pub(crate) struct Holder<'a> {
    plan: &'a Plan,
    turn: Option<&'a Turn>,
    workload: Box<dyn Workload>,
    /// What the books are to show for the pin.
    expected: Pins,
    /// What they did show.
    counted: Option<Pins>,
    disagreement: Option<Failure>,
    /// As it was when the pins were taken: a touch may move the range.
    address: usize,
}

impl<'a> Holder<'a> {
    /// A holder that holds nothing yet; with a `turn` it reads the books.
    pub(crate) fn new(plan: &'a Plan, turn: Option<&'a Turn>, workload: Box<dyn Workload>) -> Self {
        let address = workload.facts().address;
        let expected = Pins::default();
        Self {
            plan,
            turn,
            workload,
            expected,
            counted: None,
            disagreement: None,
            address,
        }
    }

    /// Takes the pins, touches them if asked to, and says so.
    pub(crate) fn pin(&mut self) -> Result<()> {
        let began_ns = report::now_ns();
        let (expected, counted) = match self.turn {
            None => (self.workload.pin()?, None),
            Some(turn) => turn.with(|| {
                let before = Books::read()?;
                let expected = self.workload.pin()?;
                Ok((expected, Some(before.settle(expected)?)))
            })?,
        };
        (self.expected, self.counted) = (expected, counted);
        self.compare(expected, counted);
        report::print(&self.line("ready", began_ns))?;
        if let Some(kind) = self.plan.common.touch {
            let began_ns = report::now_ns();
            let outcome = touch::apply(touch::buffer_of(self.workload.buffer())?, kind)?;
            report::print(&Line {
                touch: Some(outcome),
                books: None,
                ..self.line("touched", began_ns)
            })?;
        }
        Ok(())
    }

    /// Releases the pins and says so; where the process's end is to release them, says only that.
    pub(crate) fn release(&mut self) -> Result<()> {
        let how = self.plan.common.release;
        let facts = self.workload.facts();
        let began_ns = report::now_ns();
        let mut line = self.line("released", began_ns);
        line.release = Some(how);
        line.deferred = facts.close_is_deferred;
        let undo: fn(&mut dyn Workload) -> Result<()> = match how {
            Release::Exit | Release::Kill => {
                line.event = "releasing";
                line.books = None;
                return report::print(&line);
            }
            Release::Close => |workload| workload.close(),
            Release::Explicit => {
                line.deferred = facts.unpin_is_deferred;
                |workload| workload.unpin()
            }
        };
        line.expected_pins = self.expected.after_release();
        let expected = line.expected_pins;
        let mut release = || undo(&mut *self.workload);
        line.books = if let Some((turn, counted)) = self.turn.zip(self.counted) {
            Some(turn.with(|| {
                let begin = Books::read()?.less(counted);
                release()?;
                begin.settle(expected)
            })?)
        } else {
            release()?;
            None
        };
        self.compare(expected, line.books);
        line.time_ns = report::now_ns();
        report::print(&line)
    }

    /// What the books are to show while the pins are held.
    pub(crate) const fn expected(&self) -> Pins {
        self.expected
    }

    /// Fails if the books ever differed.
    pub(crate) fn verdict(&mut self) -> Result<()> {
        self.disagreement.take().map_or(Ok(()), Err)
    }

    fn compare(&mut self, expected: Pins, counted: Option<Pins>) {
        if self.disagreement.is_none() {
            self.disagreement = compare(expected, counted).err();
        }
    }

    /// A line about now.
    pub(crate) fn line(&self, event: &'static str, began_ns: u64) -> Line {
        let (pid, tid) = report::caller();
        let facts = self.workload.facts();
        Line {
            event,
            pid,
            tid,
            kind: self.plan.kind(),
            backing: self.plan.common.backing,
            address: format!("{:#x}", self.address),
            pages: self.plan.common.pages,
            expected_pins: self.expected,
            books: self.counted,
            target_pid: facts.target_pid,
            ring_owner_pid: facts.ring_owner_pid,
            release: None,
            deferred: false,
            touch: None,
            began_ns,
            time_ns: report::now_ns(),
        }
    }
}

/// Fails, with the exit code for it, if the books show anything but what was expected.
pub(crate) fn compare(expected: Pins, counted: Option<Pins>) -> Result<()> {
    match counted {
        Some(counted) if !expected.agrees_with(counted) => Err(Failure {
            code: 4,
            ..Failure::failed(
                format!("the books show {counted:?} where {expected:?} was expected"),
                "make sure that nothing else on this machine pins memory, then report the kernel's release",
            )
        }),
        _ => Ok(()),
    }
}
