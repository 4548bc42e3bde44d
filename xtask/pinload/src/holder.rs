//! One holder of pins: takes the pins, changes the range, releases the pins, prints a line for each step, and compares
//! with /proc/vmstat.
//!
//! Holders share only the lock for the pin counters.

use crate::choice::ReleaseMethod;
use crate::failure::{Failure, Result};
use crate::pins::PinCounts;
use crate::pipe_lock::PipeLock;
use crate::plan::WorkloadPlan;
use crate::range_change;
use crate::report::{self, HolderLine};
use crate::vmstat::PinCounters;
use crate::workload::Workload;

/// A workload and its state.
pub(crate) struct WorkloadHolder<'a> {
    plan: &'a WorkloadPlan,
    lock: Option<&'a PipeLock>,
    workload: Box<dyn Workload>,
    /// The counts that /proc/vmstat must show for the pin.
    expected: PinCounts,
    /// The counts that /proc/vmstat did show.
    counted: Option<PinCounts>,
    mismatch: Option<Failure>,
    /// The address at the time of the pin; a change of the range may move the mapping.
    address: usize,
}

impl<'a> WorkloadHolder<'a> {
    /// Returns a holder without pins. A holder with a `lock` reads the pin counters.
    pub(crate) fn new(
        plan: &'a WorkloadPlan,
        lock: Option<&'a PipeLock>,
        workload: Box<dyn Workload>,
    ) -> Self {
        let address = workload.info().address;
        let expected = PinCounts::default();
        Self {
            plan,
            lock,
            workload,
            expected,
            counted: None,
            mismatch: None,
            address,
        }
    }

    /// Takes the pins and applies the requested change to the range. Prints a line for each.
    pub(crate) fn pin(&mut self) -> Result<()> {
        let began_ns = report::now_ns();
        let (expected, counted) = match self.lock {
            None => (self.workload.pin()?, None),
            Some(lock) => lock.with(|| {
                let before = PinCounters::read()?;
                let expected = self.workload.pin()?;
                Ok((expected, Some(before.settle(expected)?)))
            })?,
        };
        (self.expected, self.counted) = (expected, counted);
        self.compare(expected, counted);
        report::print(&self.line("ready", began_ns))?;
        if let Some(kind) = self.plan.common.change {
            let began_ns = report::now_ns();
            let report = range_change::apply(range_change::buffer_of(self.workload.buffer())?, kind)?;
            report::print(&HolderLine {
                change: Some(report),
                vmstat: None,
                ..self.line("changed", began_ns)
            })?;
        }
        Ok(())
    }

    /// Releases the pins and prints a line. If the exit of the process is to release the pins, only prints a
    /// line.
    pub(crate) fn release(&mut self) -> Result<()> {
        let how = self.plan.common.release;
        let info = self.workload.info();
        let began_ns = report::now_ns();
        let mut line = self.line("released", began_ns);
        line.release = Some(how);
        line.deferred = info.close_is_deferred;
        let undo: fn(&mut dyn Workload) -> Result<()> = match how {
            ReleaseMethod::Exit | ReleaseMethod::Kill => {
                line.event = "releasing";
                line.vmstat = None;
                return report::print(&line);
            }
            ReleaseMethod::Close => |workload| workload.close(),
            ReleaseMethod::Explicit => {
                line.deferred = info.unpin_is_deferred;
                |workload| workload.unpin()
            }
        };
        line.expected_pins = self.expected.after_release();
        let expected = line.expected_pins;
        let mut release = || undo(&mut *self.workload);
        line.vmstat = if let Some((lock, counted)) = self.lock.zip(self.counted) {
            Some(lock.with(|| {
                let begin = PinCounters::read()?.minus(counted);
                release()?;
                begin.settle(expected)
            })?)
        } else {
            release()?;
            None
        };
        self.compare(expected, line.vmstat);
        line.time_ns = report::now_ns();
        report::print(&line)
    }

    /// Returns the counts that /proc/vmstat must show while the pins are held.
    pub(crate) const fn expected(&self) -> PinCounts {
        self.expected
    }

    /// Fails if the pin counters have differed from the expected counts.
    pub(crate) fn result(&mut self) -> Result<()> {
        self.mismatch.take().map_or(Ok(()), Err)
    }

    fn compare(&mut self, expected: PinCounts, counted: Option<PinCounts>) {
        if self.mismatch.is_none() {
            self.mismatch = compare(expected, counted).err();
        }
    }

    /// Returns a line with the current state.
    pub(crate) fn line(&self, event: &'static str, began_ns: u64) -> HolderLine {
        let (pid, tid) = report::caller();
        let info = self.workload.info();
        HolderLine {
            event,
            pid,
            tid,
            kind: self.plan.kind(),
            backing: self.plan.common.backing,
            address: format!("{:#x}", self.address),
            pages: self.plan.common.pages,
            expected_pins: self.expected,
            vmstat: self.counted,
            descriptor: info.descriptor,
            target_pid: info.target_pid,
            ring_owner_pid: info.ring_owner_pid,
            release: None,
            deferred: false,
            change: None,
            began_ns,
            time_ns: report::now_ns(),
        }
    }
}

/// Fails with code 4 if the counts of /proc/vmstat differ from the expected counts.
pub(crate) fn compare(expected: PinCounts, counted: Option<PinCounts>) -> Result<()> {
    match counted {
        Some(counted) if !expected.agrees_with(counted) => Err(Failure {
            code: 4,
            ..Failure::failed(
                format!("/proc/vmstat shows {counted:?} where {expected:?} was expected"),
                "make sure that no other process on this machine pins memory, then report the kernel's release",
            )
        }),
        _ => Ok(()),
    }
}
