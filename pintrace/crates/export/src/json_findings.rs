//! Renders the JSON of findings and flush windows.

use serde::Serialize;

use pintrace_events::units::Nanos;
use pintrace_model::finding::{Finding, PinSide, TriggerSide, WindowTotals};
use pintrace_model::snapshot::Snapshot;

/// A finding. Times are ns since the start of the stream.
#[derive(Serialize)]
pub struct FindingKeys<'a> {
    kind: &'static str,
    severity: &'static str,
    certain: bool,
    pid: u32,
    comm: &'a str,
    /// User addresses; `null` if the addresses are unknown, or if the finding is about a file.
    address: Option<String>,
    end: Option<String>,
    /// Offsets in the file in bytes, for a finding about a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_offset_end: Option<u64>,
    pages: u64,
    count: u64,
    first_ns: u64,
    last_ns: u64,
    pin: Option<PinKeys<'a>>,
    trigger: Option<TriggerKeys<'a>>,
    explanation: &'static str,
    advice: &'static str,
}

#[derive(Serialize)]
struct PinKeys<'a> {
    tid: u32,
    subsystem: &'static str,
    address: String,
    end: String,
    pages: u64,
    longterm: bool,
    reference: bool,
    age_ns: u64,
    stack: &'a [String],
}

#[derive(Serialize)]
struct TriggerKeys<'a> {
    operation: &'static str,
    pid: u32,
    /// 0 if unknown.
    tid: u32,
    comm: &'a str,
    stack: &'a [String],
}

/// The flush windows of one process and cause.
#[derive(Serialize)]
pub(super) struct WindowKeys<'a> {
    pid: u32,
    comm: &'a str,
    cause: &'static str,
    count: u64,
    pages: u64,
    p50_ns: u64,
    p99_ns: u64,
    max_ns: u64,
    faults: u64,
    cows: u64,
    pins: u64,
}

impl<'a> FindingKeys<'a> {
    /// Returns all findings of a snapshot.
    pub(super) fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        let start = snapshot.time.since(snapshot.duration);
        snapshot
            .findings
            .iter()
            .map(|found| Self::new(found, start))
            .collect()
    }

    /// Returns a finding of a stream that began at `start`.
    pub fn new(found: &'a Finding, start: Nanos) -> Self {
        let offsets = found.is_in_file();
        let addresses = !offsets && found.end != 0;
        Self {
            kind: found.kind.as_str(),
            severity: found.severity.as_str(),
            certain: found.certain,
            pid: found.pid.0,
            comm: &found.comm,
            address: addresses.then(|| hex(found.address)),
            end: addresses.then(|| hex(found.end)),
            file_offset: offsets.then_some(found.address),
            file_offset_end: offsets.then_some(found.end),
            pages: found.pages,
            count: found.count,
            first_ns: found.first.since(start).0,
            last_ns: found.last.since(start).0,
            pin: found.pin.as_ref().map(PinKeys::from),
            trigger: found.trigger.as_ref().map(TriggerKeys::from),
            explanation: found.explanation,
            advice: found.advice,
        }
    }
}

impl<'a> From<&'a PinSide> for PinKeys<'a> {
    fn from(pin: &'a PinSide) -> Self {
        Self {
            tid: pin.tid.0,
            subsystem: pin.subsystem.as_str(),
            address: hex(pin.address),
            end: hex(pin.end),
            pages: pin.pages,
            longterm: pin.longterm,
            reference: pin.reference,
            age_ns: pin.age.0,
            stack: &pin.stack,
        }
    }
}

impl<'a> From<&'a TriggerSide> for TriggerKeys<'a> {
    fn from(trigger: &'a TriggerSide) -> Self {
        Self {
            operation: trigger.what.as_str(),
            pid: trigger.pid.0,
            tid: trigger.tid.0,
            comm: &trigger.comm,
            stack: &trigger.stack,
        }
    }
}

impl<'a> From<&'a WindowTotals> for WindowKeys<'a> {
    fn from(all: &'a WindowTotals) -> Self {
        Self {
            pid: all.pid.0,
            comm: &all.comm,
            cause: all.cause.as_str(),
            count: all.count,
            pages: all.pages,
            p50_ns: all.p50.0,
            p99_ns: all.p99.0,
            max_ns: all.max.0,
            faults: all.faults,
            cows: all.cows,
            pins: all.pins,
        }
    }
}

/// Returns an address as text, because JSON readers with f64 numbers would round 64-bit addresses.
fn hex(address: u64) -> String {
    format!("{address:#x}")
}
