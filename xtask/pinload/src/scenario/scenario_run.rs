//! The common parts of all scenarios: the printed lines, the waiting, and the findings to expect.

use std::collections::BTreeMap;

use nix::unistd::getpid;
use serde::Serialize;

use super::arguments::Scenario;
use super::expected::{ExpectedFinding, ExpectedFindings, ExpectedKind, ExpectedTrigger, ExpectedWindows};
use super::memory_arguments::MemoryArgs;
use crate::choice::{Backing, PinKind};
use crate::failure::Result;
use crate::hold::HoldCondition;
use crate::memory::{Buffer, FirstTouch, MemorySpec, PAGE, Sharing};
use crate::pins::PinCounts;
use crate::report;

/// One running scenario.
pub(super) struct ScenarioRun {
    name: &'static str,
    memory: MemoryArgs,
    hold: HoldCondition,
    expected: ExpectedFindings,
}

/// `ready` and `released`.
#[derive(Serialize)]
struct RangeLine {
    event: &'static str,
    scenario: &'static str,
    pid: i32,
    tid: i32,
    /// The way of pinning; absent if nothing is pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<PinKind>,
    backing: Backing,
    address: String,
    pages: u64,
    expected_pins: PinCounts,
    /// The kernel releases the pins from a work queue.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deferred: bool,
    began_ns: u64,
    time_ns: u64,
}

/// `step`, `changed` and `done`.
#[derive(Serialize)]
struct StepLine<'a> {
    event: &'static str,
    scenario: &'static str,
    pid: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    /// The observed values.
    #[serde(flatten)]
    seen: BTreeMap<&'a str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    began_ns: Option<u64>,
    time_ns: u64,
}

#[derive(Serialize)]
struct ExpectedLine {
    event: &'static str,
    scenario: &'static str,
    pid: i32,
    findings: Vec<ExpectedFinding>,
    windows: Vec<ExpectedWindows>,
    time_ns: u64,
}

/// A range, the thread that holds it, and its pins.
#[derive(Clone, Copy, Debug)]
pub(super) struct PinnedRange {
    pub(super) kind: Option<PinKind>,
    pub(super) tid: i32,
    pub(super) address: usize,
    pub(super) pins: PinCounts,
    /// CLOCK_MONOTONIC before the pins were taken, in nanoseconds.
    pub(super) began_ns: u64,
}

impl ScenarioRun {
    /// Returns the state of a run before its first step.
    pub(super) fn new(scenario: &Scenario) -> Self {
        let memory = scenario.memory();
        Self {
            name: scenario.name(),
            hold: HoldCondition::new(memory.hold.hold, memory.hold.hold_until_stdin),
            memory,
            expected: ExpectedFindings::default(),
        }
    }

    /// Returns the memory that the command line asks for.
    pub(super) const fn wanted(&self, sharing: Sharing) -> MemorySpec {
        MemorySpec {
            pages: self.memory.pages,
            backing: self.memory.backing,
            sharing,
            first_touch: match sharing {
                Sharing::Copied => FirstTouch::Read,
                _ => FirstTouch::Write,
            },
        }
    }

    /// Returns the number of 4 KiB pages.
    pub(super) const fn pages(&self) -> u64 {
        self.memory.pages
    }

    /// Notes that an operation affected these pages of this process `times` times; the page numbers count from
    /// `base`.
    pub(super) fn note(
        &mut self,
        kind: ExpectedKind,
        trigger: ExpectedTrigger,
        times: u64,
        base: usize,
        pages: impl IntoIterator<Item = usize>,
    ) {
        let addresses = pages.into_iter().map(|page| base + page * PAGE);
        self.expected
            .note(kind, Some(trigger), getpid().as_raw(), times, addresses);
    }

    /// Notes a finding about pins of `pid` that is independent of changes to the memory.
    pub(super) fn note_holding(&mut self, kind: ExpectedKind, pid: i32, address: usize) {
        let pages = usize::try_from(self.memory.pages).unwrap_or(0);
        let addresses = (0..pages).map(|page| address + page * PAGE);
        self.expected.note(kind, None, pid, 1, addresses);
    }

    /// Notes `count` write-protects by userfaultfd, each of which changed a page.
    pub(super) const fn windows(&mut self, count: u64) {
        self.expected.windows(count);
    }

    /// Prints `ready`: the pins are taken.
    pub(super) fn ready(&self, range: PinnedRange) -> Result<()> {
        self.print_range("ready", range, false, range.began_ns)
    }

    /// Prints `released`: no pins are held.
    pub(super) fn released(&self, range: PinnedRange, deferred: bool, began_ns: u64) -> Result<()> {
        let pins = range.pins.after_release();
        self.print_range("released", PinnedRange { pins, ..range }, deferred, began_ns)
    }

    /// Waits for the hold condition.
    pub(super) fn wait(&self) -> Result<()> {
        self.hold.wait()
    }

    /// Prints `step`: the latest change and the observed values.
    pub(super) fn step(&self, step: &str, seen: &[(&str, u64)], began_ns: u64) -> Result<()> {
        self.print_step("step", Some(step), seen, Some(began_ns))
    }

    /// Prints `changed`: all changes are made. Then waits.
    pub(super) fn changed(&self) -> Result<()> {
        self.print_step("changed", None, &[], None)?;
        self.wait()
    }

    /// Prints the findings to expect.
    pub(super) fn end(&self) -> Result<()> {
        report::print(&ExpectedLine {
            event: "expected",
            scenario: self.name,
            pid: getpid().as_raw(),
            findings: self.expected.findings(),
            windows: self.expected.all_windows(),
            time_ns: report::now_ns(),
        })?;
        self.print_step("done", None, &[], None)
    }

    fn print_step(
        &self,
        event: &'static str,
        step: Option<&str>,
        seen: &[(&str, u64)],
        began: Option<u64>,
    ) -> Result<()> {
        report::print(&StepLine {
            event,
            scenario: self.name,
            pid: getpid().as_raw(),
            step,
            seen: seen.iter().copied().collect(),
            began_ns: began,
            time_ns: report::now_ns(),
        })
    }

    fn print_range(
        &self,
        event: &'static str,
        range: PinnedRange,
        deferred: bool,
        began_ns: u64,
    ) -> Result<()> {
        report::print(&RangeLine {
            event,
            scenario: self.name,
            pid: getpid().as_raw(),
            tid: range.tid,
            kind: range.kind,
            backing: self.memory.backing,
            address: format!("{:#x}", range.address),
            pages: self.memory.pages,
            expected_pins: range.pins,
            deferred,
            began_ns,
            time_ns: report::now_ns(),
        })
    }
}

impl PinnedRange {
    /// Returns a range without pins.
    pub(super) fn unpinned(buffer: &Buffer) -> Self {
        Self {
            kind: None,
            tid: report::caller().1,
            address: buffer.address(),
            pins: PinCounts::lasting(Some(0), Some(0)),
            began_ns: report::now_ns(),
        }
    }
}
