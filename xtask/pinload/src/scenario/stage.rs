//! What all scenarios share: the lines that they print, and the gates at which they wait.

use std::collections::BTreeMap;

use nix::unistd::getpid;
use serde::Serialize;

use super::arguments::{Memory, Scenario};
use super::truth::{Finding, Kind, Touch, Truth, Windows};
use crate::choice::{self, Backing};
use crate::failure::Result;
use crate::gate::Gate;
use crate::memory::{Buffer, FirstTouch, PAGE, Sharing, Wanted};
use crate::pins::Pins;
use crate::report;

/// One scenario under way.
pub(super) struct Stage {
    name: &'static str,
    memory: Memory,
    gate: Gate,
    truth: Truth,
}

/// `ready` and `released`.
#[derive(Serialize)]
struct RangeLine {
    event: &'static str,
    scenario: &'static str,
    pid: i32,
    tid: i32,
    /// How it pinned; without, nothing is pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<choice::Kind>,
    backing: Backing,
    address: String,
    pages: u64,
    expected_pins: Pins,
    /// The kernel gives the pins back from a work queue.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deferred: bool,
    began_ns: u64,
    time_ns: u64,
}

/// `step`, `touched` and `done`.
#[derive(Serialize)]
struct StepLine<'a> {
    event: &'static str,
    scenario: &'static str,
    pid: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    /// What was seen.
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
    findings: Vec<Finding>,
    windows: Vec<Windows>,
    time_ns: u64,
}

/// A range, and who holds it by which pins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) kind: Option<choice::Kind>,
    pub(super) tid: i32,
    pub(super) address: usize,
    pub(super) pins: Pins,
    /// CLOCK_MONOTONIC before the pins were taken, in nanoseconds.
    pub(super) began_ns: u64,
}

impl Stage {
    /// A stage on which nothing has happened yet.
    pub(super) fn new(scenario: &Scenario) -> Self {
        let memory = scenario.memory();
        Self {
            name: scenario.name(),
            gate: Gate::new(memory.stay.hold, memory.stay.hold_until_stdin),
            memory,
            truth: Truth::default(),
        }
    }

    /// The memory that the command line asks for.
    pub(super) const fn wanted(&self, sharing: Sharing) -> Wanted {
        Wanted {
            pages: self.memory.pages,
            backing: self.memory.backing,
            sharing,
            first_touch: match sharing {
                Sharing::Copied => FirstTouch::Read,
                _ => FirstTouch::Write,
            },
        }
    }

    /// Pages of 4 KiB asked for.
    pub(super) const fn pages(&self) -> u64 {
        self.memory.pages
    }

    /// Something happened `times` to these pages, counted from `base` on, which this process holds.
    pub(super) fn note(
        &mut self,
        kind: Kind,
        touch: Touch,
        times: u64,
        base: usize,
        pages: impl IntoIterator<Item = usize>,
    ) {
        let addresses = pages.into_iter().map(|page| base + page * PAGE);
        self.truth
            .note(kind, Some(touch), getpid().as_raw(), times, addresses);
    }

    /// The pins that `pid` took are what is to be found, whatever is done to the memory.
    pub(super) fn note_holding(&mut self, kind: Kind, pid: i32, address: usize) {
        let pages = usize::try_from(self.memory.pages).unwrap_or(0);
        let addresses = (0..pages).map(|page| address + page * PAGE);
        self.truth.note(kind, None, pid, 1, addresses);
    }

    /// So many write-protects by userfaultfd changed a page.
    pub(super) const fn windows(&mut self, count: u64) {
        self.truth.windows(count);
    }

    /// Says that everything is in place.
    pub(super) fn ready(&self, held: Held) -> Result<()> {
        self.range("ready", held, false, held.began_ns)
    }

    /// Says that the pins are given back, if there were any.
    pub(super) fn released(&self, held: Held, deferred: bool, began_ns: u64) -> Result<()> {
        let pins = held.pins.after_release();
        self.range("released", Held { pins, ..held }, deferred, began_ns)
    }

    /// Waits at the gate.
    pub(super) fn wait(&self) -> Result<()> {
        self.gate.wait()
    }

    /// Says what was done just now, and what was seen of it.
    pub(super) fn step(&self, step: &str, seen: &[(&str, u64)], began_ns: u64) -> Result<()> {
        self.say("step", Some(step), seen, Some(began_ns))
    }

    /// Says that everything was done, and waits at the gate.
    pub(super) fn touched(&self) -> Result<()> {
        self.say("touched", None, &[], None)?;
        self.wait()
    }

    /// Says what is to be found.
    pub(super) fn end(&self) -> Result<()> {
        report::print(&ExpectedLine {
            event: "expected",
            scenario: self.name,
            pid: getpid().as_raw(),
            findings: self.truth.findings(),
            windows: self.truth.all_windows(),
            time_ns: report::now_ns(),
        })?;
        self.say("done", None, &[], None)
    }

    fn say(
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

    fn range(&self, event: &'static str, held: Held, deferred: bool, began_ns: u64) -> Result<()> {
        report::print(&RangeLine {
            event,
            scenario: self.name,
            pid: getpid().as_raw(),
            tid: held.tid,
            kind: held.kind,
            backing: self.memory.backing,
            address: format!("{:#x}", held.address),
            pages: self.memory.pages,
            expected_pins: held.pins,
            deferred,
            began_ns,
            time_ns: report::now_ns(),
        })
    }
}

impl Held {
    /// Memory that nobody pins.
    pub(super) fn unpinned(buffer: &Buffer) -> Self {
        Self {
            kind: None,
            tid: report::caller().1,
            address: buffer.address(),
            pins: Pins::lasting(Some(0), Some(0)),
            began_ns: report::now_ns(),
        }
    }
}
