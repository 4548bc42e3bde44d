//! Renders the JSON of `top --once --json` and `report --json`.

use std::collections::BTreeMap;

use serde::Serialize;

use pintrace_events::units::Nanos;
use pintrace_events::{ChangesSuppressed, DetailShed, FlushCheck, MissingHook, Probe, ScanSampled};
use pintrace_model::selection::Selection;
use pintrace_model::snapshot::Snapshot;

use super::SCHEMA;
use super::json_findings::{FindingKeys, WindowKeys};
use super::json_own_cost::OwnCostKeys;
use super::json_pin_calls::{InFlightKeys, PinCallKeys};
use super::json_processes::ProcessKeys;
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
        let start = Nanos(snapshot.time.0.saturating_sub(snapshot.duration.0));
        let processes = processes.map(|process| ProcessKeys::at(snapshot.time, start, process));
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
            balance: BalanceKeys::of(snapshot),
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

impl BalanceKeys {
    fn of(snapshot: &Snapshot) -> Self {
        let balance = &snapshot.balance;
        let readable = balance.vmstat_readable;
        // In mode scan, the kernel's counters are those since boot.
        let counted = readable && snapshot.started.mode != "scan";
        Self {
            vmstat_acquired: counted.then_some(balance.vmstat_acquired),
            vmstat_released: counted.then_some(balance.vmstat_released),
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
