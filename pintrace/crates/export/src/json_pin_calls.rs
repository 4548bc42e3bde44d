//! Renders the JSON of pin calls. Times are ns; `began_ns` counts from the start of the stream.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use pintrace_events::Registration;
use pintrace_events::units::Nanos;
use pintrace_model::pin_calls::{InFlight, PinCallRow, errno, text};
use pintrace_model::snapshot::Snapshot;

/// The pin calls of a process through one subsystem.
#[derive(Serialize)]
pub(super) struct PinCallKeys<'a> {
    pid: u32,
    comm: &'a str,
    cgroup: &'a str,
    ended: bool,
    subsystem: &'static str,
    /// Long-term calls that have returned.
    calls: u64,
    /// Calls of `calls` whose duration is unknown.
    untimed: u64,
    /// Calls of each duration: `durations[k]` has the durations of less than 2^(10 + k) ns, the last all longer ones.
    durations: &'a [u64],
    total_ns: u64,
    p50_ns: Option<u64>,
    p99_ns: Option<u64>,
    longest_ns: u64,
    wanted_pages: u64,
    pinned_pages: u64,
    /// Pages that were pinned and dropped again.
    dropped_pages: u64,
    /// Pages that the kernel migrated first.
    moved_pages: u64,
    retried: u64,
    /// Failed calls by error; `short` for long-term calls that pinned fewer pages than asked for.
    failures: BTreeMap<Cow<'static, str>, u64>,
    registrations: u64,
    /// Registrations that the kernel refused.
    refused: u64,
    latest_registration: Option<RegistrationKeys>,
    slowest_registration: Option<RegistrationKeys>,
}

#[derive(Serialize)]
struct RegistrationKeys {
    began_ns: u64,
    took_ns: u64,
    calls: u64,
    wanted_pages: u64,
    pinned_pages: u64,
    bytes_per_second: Option<u64>,
}

/// A long-term pin call in flight.
#[derive(Serialize)]
pub(super) struct InFlightKeys<'a> {
    pid: u32,
    comm: &'a str,
    tid: u32,
    subsystem: &'static str,
    descriptor: Option<u32>,
    age_ns: u64,
    wanted_pages: u64,
    /// `null` if several calls are in flight.
    pinned_pages: Option<u64>,
    migrates: bool,
    /// The registration that the call continues or begins.
    registration: RegistrationSoFarKeys,
}

#[derive(Serialize)]
struct RegistrationSoFarKeys {
    age_ns: u64,
    wanted_pages: u64,
    pinned_pages: u64,
    bytes_per_second: Option<u64>,
}

impl<'a> PinCallKeys<'a> {
    /// Returns all pin calls of a snapshot.
    pub(super) fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        let start = snapshot.time.since(snapshot.duration);
        snapshot
            .pin_calls
            .iter()
            .map(|row| Self::new(row, start))
            .collect()
    }

    fn new(row: &'a PinCallRow, start: Nanos) -> Self {
        let totals = &row.totals;
        let failures = totals
            .failures
            .iter()
            .map(|(number, count)| (errno::name(*number), *count));
        Self {
            pid: row.pid.0,
            comm: &row.comm,
            cgroup: &row.cgroup,
            ended: row.ended,
            subsystem: row.subsystem.as_str(),
            calls: totals.calls(),
            untimed: totals.untimed,
            durations: &totals.durations,
            total_ns: totals.total.0,
            p50_ns: totals.below(500).map(|time| time.0),
            p99_ns: totals.below(990).map(|time| time.0),
            longest_ns: totals.longest.0,
            wanted_pages: totals.wanted,
            pinned_pages: totals.pinned,
            dropped_pages: totals.dropped,
            moved_pages: totals.moved,
            retried: totals.retried,
            failures: failures.collect(),
            registrations: totals.registrations,
            refused: row.refused,
            latest_registration: RegistrationKeys::new(&totals.latest, start),
            slowest_registration: RegistrationKeys::new(&totals.slowest, start),
        }
    }
}

impl RegistrationKeys {
    fn new(registration: &Registration, start: Nanos) -> Option<Self> {
        (registration.calls != 0).then(|| Self {
            began_ns: registration.began.since(start).0,
            took_ns: text::took(registration).0,
            calls: registration.calls,
            wanted_pages: registration.wanted,
            pinned_pages: registration.pinned,
            bytes_per_second: text::bytes_per_second(registration),
        })
    }
}

impl<'a> InFlightKeys<'a> {
    /// Returns the calls in flight of a snapshot.
    pub(super) fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        let calls = snapshot.calls_in_flight.iter();
        calls.map(|call| Self::new(call, snapshot.time)).collect()
    }

    fn new(call: &'a InFlight, now: Nanos) -> Self {
        Self {
            pid: call.pid.0,
            comm: &call.comm,
            tid: call.tid.0,
            subsystem: call.subsystem.as_str(),
            descriptor: call.descriptor,
            age_ns: now.since(call.began).0,
            wanted_pages: call.wanted,
            pinned_pages: call.pinned,
            migrates: call.migrates,
            registration: RegistrationSoFarKeys {
                age_ns: now.since(call.registration_began()).0,
                wanted_pages: call.registration_wanted(),
                pinned_pages: call.registration_pinned(),
                bytes_per_second: call.bytes_per_second(),
            },
        }
    }
}
