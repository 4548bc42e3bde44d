//! The one JSON shape of `top --once --json` and `report --json`. Keys are added, never renamed.

use std::collections::BTreeMap;

use serde::Serialize;

use pintrace_events::{FlushCheck, Missing, Probe, StateSampled};
use pintrace_model::snapshot::{Ended, OpenExtent, Process, Snapshot, Thread, Truth};

use super::SCHEMA;
use super::json_findings::{FindingKeys, WindowKeys};

/// A snapshot as one line of JSON, with a line end. `complete` is false for a stream that was cut short.
pub fn render(snapshot: &Snapshot, complete: bool) -> serde_json::Result<String> {
    serde_json::to_string(&Document::new(snapshot, complete)).map(|json| json + "\n")
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    version: &'a str,
    witness: &'a str,
    /// Why nothing is traced; empty if something is, or that was not wanted.
    without_events: &'a str,
    /// Why nothing looks for findings where functions are traced; empty if something does.
    without_findings: &'a str,
    kernel: &'a str,
    machine: &'a str,
    host: &'a str,
    command: &'a [String],
    exit_code: Option<i32>,
    wall_ns: u64,
    page_size: u32,
    duration_ns: u64,
    complete: bool,
    truth: TruthKeys,
    /// The latest look at all memory; `null` if there was none.
    state: Option<StateSampled>,
    loss: BTreeMap<&'static str, u64>,
    /// Events that make no sense to this version.
    unfolded: u64,
    probes: &'a [Probe],
    missing: &'a [Missing],
    subsystems: BTreeMap<&'static str, SubsystemKeys>,
    processes: Vec<ProcessKeys<'a>>,
    /// Worst first, then latest first.
    findings: Vec<FindingKeys<'a>>,
    findings_dropped: u64,
    /// Pending-flush windows.
    windows: Vec<WindowKeys<'a>>,
    flush_check: FlushCheck,
}

/// `null` where the kernel's books cannot be read.
#[derive(Serialize)]
struct TruthKeys {
    books_acquired: Option<u64>,
    books_released: Option<u64>,
    books_held: Option<i64>,
    ledger_acquired: u64,
    ledger_released: u64,
    ledger_held: i64,
    /// Pages pinned that the books count only when they are released; in `books_held` they are counted.
    unbooked: u64,
    internal: u64,
    opening_held: i64,
    opening_released: u64,
    unaccounted: Option<i64>,
    under_way: i64,
    ambiguous: u64,
    /// Of the older pins held, those whose holder is known.
    opening_known: u64,
    /// Pages set right by a look at memory.
    healed: u64,
}

#[derive(Serialize)]
struct SubsystemKeys {
    pages_held: u64,
    bytes_held: u64,
    acquired: u64,
    released: u64,
}

#[derive(Serialize)]
struct ProcessKeys<'a> {
    pid: u32,
    comm: &'a str,
    cmdline: &'a str,
    uid: Option<u32>,
    cgroup: &'a str,
    /// `events`, `state` or `both`. What `state` does not tell is `null`.
    witness: &'static str,
    extents: Option<u64>,
    pages_held: u64,
    bytes_held: u64,
    longterm_pages_held: Option<u64>,
    /// Of the pages held, those that are known from `state` alone.
    state_pages_held: u64,
    oldest_ns: Option<u64>,
    acquired: Option<u64>,
    released: Option<u64>,
    acquired_per_second: Option<f64>,
    released_per_second: Option<f64>,
    /// Pages held.
    subsystems: BTreeMap<&'static str, u64>,
    threads: Vec<ThreadKeys<'a>>,
    extents_held: Vec<ExtentKeys<'a>>,
    ended: Option<EndedKeys>,
}

#[derive(Serialize)]
struct ThreadKeys<'a> {
    tid: u32,
    comm: &'a str,
    pages_held: u64,
    acquired: u64,
    released: u64,
}

/// Addresses are text: JSON readers that know only f64 would round them.
#[derive(Serialize)]
struct ExtentKeys<'a> {
    tid: u32,
    address: String,
    end: String,
    pages: u64,
    pages_held: u64,
    bytes_held: u64,
    age_ns: u64,
    subsystem: &'static str,
    stack: &'a [String],
}

#[derive(Serialize)]
struct EndedKeys {
    signal: u32,
    status: u32,
    pages_held: u64,
    /// Since the start of the stream's clock.
    time_ns: u64,
}

impl<'a> Document<'a> {
    fn new(snapshot: &'a Snapshot, complete: bool) -> Self {
        let started = &*snapshot.started;
        let subsystems = snapshot.subsystems.iter().map(|totals| {
            let keys = SubsystemKeys {
                pages_held: totals.pages_held,
                bytes_held: totals.bytes_held,
                acquired: totals.acquired,
                released: totals.released,
            };
            (totals.subsystem.as_str(), keys)
        });
        Self {
            schema: SCHEMA,
            version: &started.tool,
            witness: &started.witness,
            without_events: &started.without_events,
            without_findings: &started.without_findings,
            kernel: &started.kernel,
            machine: &started.machine,
            host: &started.host,
            command: &started.command,
            exit_code: snapshot.ending.as_ref().and_then(|ending| ending.exit_code),
            wall_ns: started.wall_ns,
            page_size: started.page_size,
            duration_ns: snapshot.duration.0,
            complete,
            truth: TruthKeys::from(&snapshot.truth),
            state: snapshot.state,
            loss: snapshot.loss.iter().copied().collect(),
            unfolded: snapshot.unfolded,
            probes: &started.probes,
            missing: &started.missing,
            subsystems: subsystems.collect(),
            processes: snapshot.processes.iter().map(ProcessKeys::from).collect(),
            findings: FindingKeys::all(snapshot),
            findings_dropped: snapshot.findings_dropped,
            windows: snapshot.windows.iter().map(WindowKeys::from).collect(),
            flush_check: snapshot.flush_check,
        }
    }
}

impl From<&Truth> for TruthKeys {
    fn from(truth: &Truth) -> Self {
        let readable = truth.books_readable;
        Self {
            books_acquired: readable.then_some(truth.books_acquired),
            books_released: readable.then_some(truth.books_released),
            books_held: readable.then_some(truth.books_held),
            ledger_acquired: truth.ledger_acquired,
            ledger_released: truth.ledger_released,
            ledger_held: truth.ledger_held,
            unbooked: truth.unbooked,
            internal: truth.internal,
            opening_held: truth.opening_held,
            opening_released: truth.opening_released,
            unaccounted: readable.then_some(truth.unaccounted),
            under_way: truth.under_way,
            ambiguous: truth.ambiguous,
            opening_known: truth.opening_known,
            healed: truth.healed_pages,
        }
    }
}

impl<'a> From<&'a Process> for ProcessKeys<'a> {
    fn from(process: &'a Process) -> Self {
        let subsystems = process
            .subsystems
            .iter()
            .map(|(subsystem, pages)| (subsystem.as_str(), *pages));
        let witness = match (process.untraced, process.state_pages_held) {
            (true, _) => "state",
            (false, 0) => "events",
            (false, _) => "both",
        };
        let traced = |value: u64| (!process.untraced).then_some(value);
        let rate = |value: f64| (!process.untraced).then_some(value);
        Self {
            pid: process.pid.0,
            comm: &process.comm,
            cmdline: &process.cmdline,
            uid: process.uid,
            cgroup: &process.cgroup,
            witness,
            extents: traced(process.extents),
            pages_held: process.pages_held,
            bytes_held: process.bytes_held,
            longterm_pages_held: traced(process.longterm_pages_held),
            state_pages_held: process.state_pages_held,
            oldest_ns: traced(process.oldest.0),
            acquired: traced(process.acquired),
            released: traced(process.released),
            acquired_per_second: rate(process.acquired_per_second),
            released_per_second: rate(process.released_per_second),
            subsystems: subsystems.collect(),
            threads: process.threads.iter().map(ThreadKeys::from).collect(),
            extents_held: process.open_extents.iter().map(ExtentKeys::from).collect(),
            ended: process.ended.map(EndedKeys::from),
        }
    }
}

impl<'a> From<&'a Thread> for ThreadKeys<'a> {
    fn from(thread: &'a Thread) -> Self {
        Self {
            tid: thread.tid.0,
            comm: &thread.comm,
            pages_held: thread.pages_held,
            acquired: thread.acquired,
            released: thread.released,
        }
    }
}

impl<'a> From<&'a OpenExtent> for ExtentKeys<'a> {
    fn from(extent: &'a OpenExtent) -> Self {
        Self {
            tid: extent.tid.0,
            address: format!("{:#x}", extent.address),
            end: format!("{:#x}", extent.end),
            pages: extent.pages,
            pages_held: extent.pages_held,
            bytes_held: extent.bytes_held,
            age_ns: extent.age.0,
            subsystem: extent.subsystem.as_str(),
            stack: &extent.stack,
        }
    }
}

impl From<Ended> for EndedKeys {
    fn from(ended: Ended) -> Self {
        Self {
            signal: ended.signal,
            status: ended.status,
            pages_held: ended.pages_held,
            time_ns: ended.time.0,
        }
    }
}
