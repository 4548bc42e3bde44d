//! Renders the JSON of `top --once --json` and `report --json`.

use std::collections::BTreeMap;

use serde::Serialize;

use pintrace_events::units::Nanos;
use pintrace_events::{ChangesSuppressed, DetailShed, Evidence, FlushCheck, MissingHook, Probe, ScanSampled};
use pintrace_model::selection::Selection;
use pintrace_model::snapshot::{Balance, OpenExtent, Process, ProcessEnd, Snapshot, Thread};

use super::SCHEMA;
use super::json_findings::{FindingKeys, WindowKeys};
use super::json_own_cost::OwnCostKeys;
use super::json_pin_calls::{InFlightKeys, PinCallKeys};
use super::json_registrations::FailedRegistrationKeys;

/// Returns a snapshot as one line of JSON, with a line end. `complete` is false for a stream without a last event.
pub fn render(snapshot: &Snapshot, complete: bool) -> serde_json::Result<String> {
    serde_json::to_string(&Document::new(snapshot, complete)).map(|json| json + "\n")
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    version: &'a str,
    mode: &'a str,
    /// Reason why the session does not trace; empty if the session traces, or if the user asked for mode scan.
    without_trace: &'a str,
    /// Reason why a tracing session looks for no findings; empty if the session looks for findings.
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
    balance: BalanceKeys,
    /// The latest memory scan; `null` without a scan.
    scan: Option<ScanSampled>,
    loss: BTreeMap<&'static str, u64>,
    /// Number of mapping changes that were not examined, by process (`changes_suppressed` of `loss`).
    suppressed: &'a [ChangesSuppressed],
    /// Number of events that the model could not apply.
    unapplied_events: u64,
    probes: &'a [Probe],
    missing: &'a [MissingHook],
    subsystems: BTreeMap<&'static str, SubsystemKeys>,
    /// The query that chose the processes; `null` if these are all processes.
    selection: Option<SelectionKeys<'a>>,
    processes: Vec<ProcessKeys<'a>>,
    /// Pin calls by process and subsystem. Short-term calls are only counted if they fail.
    pin_calls: Vec<PinCallKeys<'a>>,
    /// Long-term pin calls in flight; the registration that began first is first.
    calls_in_flight: Vec<InFlightKeys<'a>>,
    /// Registrations of memory that the kernel refused, the latest first.
    failed_registrations: Vec<FailedRegistrationKeys<'a>>,
    /// All findings: the most severe first, then the latest first.
    findings: Vec<FindingKeys<'a>>,
    findings_dropped: u64,
    /// Totals of the pending-flush windows, by process and cause.
    windows: Vec<WindowKeys<'a>>,
    flush_check: FlushCheck,
    finding_hooks: FindingHookKeys,
    /// The details that the session gave up to keep within its budget.
    shed: &'a [DetailShed],
    /// What pintrace itself takes of the host; `null` for a recording.
    own_cost: Option<OwnCostKeys<'a>>,
}

/// The balance in pages. An `Option` is `null` where the kernel's vmstat counters cannot be read.
#[derive(Serialize)]
struct BalanceKeys {
    vmstat_acquired: Option<u64>,
    vmstat_released: Option<u64>,
    vmstat_held: Option<i64>,
    ledger_acquired: u64,
    ledger_released: u64,
    ledger_held: i64,
    /// Pages pinned that the vmstat counters count only at the release. `vmstat_held` includes these pages.
    not_in_vmstat: u64,
    gup_retry: u64,
    preexisting_held: i64,
    preexisting_released: u64,
    lost_pin_released: u64,
    unaccounted: Option<i64>,
    in_flight: i64,
    ambiguous_owner: u64,
    /// Pages of preexisting pins that are still held and whose holder is known.
    preexisting_attributed: u64,
    /// Pages that reconciliations added or removed.
    reconciled: u64,
}

/// Number of processes that match a query, of all processes.
#[derive(Serialize)]
struct SelectionKeys<'a> {
    query: &'a str,
    matching: usize,
    of: usize,
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
    /// `trace`, `scan` or `both`. Keys that a scan cannot fill are `null` for `scan`.
    mode: &'static str,
    extents: Option<u64>,
    pages_held: u64,
    bytes_held: u64,
    /// Bytes of `bytes_held` in folios of 2 MiB and more.
    huge_bytes_held: u64,
    longterm_pages_held: Option<u64>,
    /// Pages of `pages_held` that only a scan found.
    scan_pages_held: u64,
    oldest_ns: Option<u64>,
    acquired: Option<u64>,
    released: Option<u64>,
    acquired_per_second: Option<f64>,
    released_per_second: Option<f64>,
    /// Pages held, by subsystem.
    subsystems: BTreeMap<&'static str, u64>,
    /// Pages of `scan_pages_held`, by evidence.
    evidence: &'a BTreeMap<Evidence, u64>,
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

/// An open extent. Addresses are text, because JSON readers with f64 numbers would round 64-bit addresses.
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
    /// The descriptor on which the process pinned.
    descriptor: Option<u32>,
    stack: &'a [String],
}

#[derive(Serialize)]
struct EndedKeys {
    signal: u32,
    status: u32,
    pages_held: u64,
    /// Time of the exit by the monotonic clock of the stream.
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
        let processes = snapshot.processes.iter();
        let processes = processes.map(|process| ProcessKeys::at(snapshot.time, process));
        Self {
            schema: SCHEMA,
            version: &started.tool,
            mode: &started.mode,
            without_trace: &started.without_trace,
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
            balance: BalanceKeys::from(&snapshot.balance),
            scan: snapshot.scan,
            loss: snapshot.loss.iter().copied().collect(),
            suppressed: &snapshot.suppressed,
            unapplied_events: snapshot.unapplied_events,
            probes: &started.probes,
            missing: &started.missing,
            subsystems: subsystems.collect(),
            selection: snapshot.selection.as_deref().map(SelectionKeys::from),
            processes: processes.collect(),
            pin_calls: PinCallKeys::all(snapshot),
            calls_in_flight: InFlightKeys::all(snapshot),
            failed_registrations: FailedRegistrationKeys::all(snapshot),
            findings: FindingKeys::all(snapshot),
            findings_dropped: snapshot.findings_dropped,
            windows: snapshot.windows.iter().map(WindowKeys::from).collect(),
            flush_check: snapshot.flush_check,
            shed: &snapshot.shed,
            finding_hooks: FindingHookKeys {
                wait: snapshot.finding_hooks.wait,
                late_ns: snapshot.finding_hooks.late.map(|late| late.0),
            },
            own_cost: OwnCostKeys::of(snapshot),
        }
    }
}

impl<'a> From<&'a Selection> for SelectionKeys<'a> {
    fn from(selection: &'a Selection) -> Self {
        Self {
            query: &selection.query,
            matching: selection.matching,
            of: selection.of,
        }
    }
}

/// Keys of the finding hooks that are attached once memory is pinned.
#[derive(Serialize)]
struct FindingHookKeys {
    /// Hooks wait for pins.
    wait: bool,
    /// The longest time from a first pin to the attachment of the hooks that waited for it.
    late_ns: Option<u64>,
}

impl From<&Balance> for BalanceKeys {
    fn from(balance: &Balance) -> Self {
        let readable = balance.vmstat_readable;
        Self {
            vmstat_acquired: readable.then_some(balance.vmstat_acquired),
            vmstat_released: readable.then_some(balance.vmstat_released),
            vmstat_held: readable.then_some(balance.vmstat_held),
            ledger_acquired: balance.ledger_acquired,
            ledger_released: balance.ledger_released,
            ledger_held: balance.ledger_held,
            not_in_vmstat: balance.not_in_vmstat,
            gup_retry: balance.gup_retry,
            preexisting_held: balance.preexisting_held,
            preexisting_released: balance.preexisting_released,
            lost_pin_released: balance.lost_pin_released,
            unaccounted: readable.then_some(balance.unaccounted),
            in_flight: balance.in_flight,
            ambiguous_owner: balance.ambiguous_owner,
            preexisting_attributed: balance.preexisting_attributed,
            reconciled: balance.reconciled_pages,
        }
    }
}

impl<'a> ProcessKeys<'a> {
    /// Returns the keys of a process in a snapshot of the time `now`.
    fn at(now: Nanos, process: &'a Process) -> Self {
        let subsystems = process
            .subsystems
            .iter()
            .map(|(subsystem, pages)| (subsystem.as_str(), *pages));
        let mode = match (process.untraced, process.scan_pages_held) {
            (true, _) => "scan",
            (false, 0) => "trace",
            (false, _) => "both",
        };
        let traced = |value: u64| (!process.untraced).then_some(value);
        let rate = |value: f64| (!process.untraced).then_some(value);
        let extents = process.open_extents.iter();
        let extents = extents.map(|extent| ExtentKeys::at(now, extent));
        Self {
            pid: process.pid.0,
            comm: &process.comm,
            cmdline: &process.cmdline,
            uid: process.uid,
            cgroup: &process.cgroup,
            mode,
            extents: traced(process.extents),
            pages_held: process.pages_held,
            bytes_held: process.bytes_held,
            huge_bytes_held: process.huge_bytes_held,
            longterm_pages_held: traced(process.longterm_pages_held),
            scan_pages_held: process.scan_pages_held,
            oldest_ns: traced(process.oldest(now).0),
            acquired: traced(process.acquired),
            released: traced(process.released),
            acquired_per_second: rate(process.acquired_per_second),
            released_per_second: rate(process.released_per_second),
            subsystems: subsystems.collect(),
            evidence: &process.evidence,
            threads: process.threads.iter().map(ThreadKeys::from).collect(),
            extents_held: extents.collect(),
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

impl<'a> ExtentKeys<'a> {
    /// Returns the keys of an extent in a snapshot of the time `now`.
    fn at(now: Nanos, extent: &'a OpenExtent) -> Self {
        Self {
            tid: extent.tid.0,
            address: format!("{:#x}", extent.address),
            end: format!("{:#x}", extent.end),
            pages: extent.pages,
            pages_held: extent.pages_held,
            bytes_held: extent.bytes_held,
            age_ns: now.since(extent.since).0,
            subsystem: extent.subsystem.as_str(),
            descriptor: extent.descriptor,
            stack: &extent.stack,
        }
    }
}

impl From<ProcessEnd> for EndedKeys {
    fn from(ended: ProcessEnd) -> Self {
        Self {
            signal: ended.signal,
            status: ended.status,
            pages_held: ended.pages_held,
            time_ns: ended.time.0,
        }
    }
}
