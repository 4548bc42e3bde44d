//! The keys of processes, threads and extents.

use std::collections::BTreeMap;

use serde::Serialize;

use pintrace_events::Evidence;
use pintrace_events::units::Nanos;
use pintrace_model::hold_times::HoldClass;
use pintrace_model::snapshot::{OpenExtent, Process, ProcessEnd, Thread};

#[derive(Serialize)]
pub(super) struct ProcessKeys<'a> {
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
    /// How long the extents were held that have been released: the classes with extents, the shortest times first.
    hold_times: Vec<HoldTimeKeys>,
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

/// A class of the times for which extents were held.
#[derive(Serialize)]
struct HoldTimeKeys {
    /// The times are shorter than this; `null` for a day and longer.
    below_ns: Option<u64>,
    extents: u32,
}

impl From<HoldClass> for HoldTimeKeys {
    fn from(class: HoldClass) -> Self {
        Self {
            below_ns: class.below.map(|below| below.0),
            extents: class.extents,
        }
    }
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
    /// Time of the exit, from the start of counting on.
    after_start_ns: u64,
}

impl<'a> ProcessKeys<'a> {
    /// Returns the keys of a process in a snapshot of the time `now`. Counting began at `start`.
    pub(super) fn at(now: Nanos, start: Nanos, process: &'a Process) -> Self {
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
        let oldest = process
            .oldest_since
            .filter(|_| !process.untraced && process.older_than.is_none());
        let extents = process.open_extents.iter();
        let extents = extents.map(|extent| ExtentKeys::at(now, extent));
        let hold_times = process.hold_times.classes().filter(|class| class.extents != 0);
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
            oldest_ns: oldest.map(|since| now.since(since).0),
            acquired: traced(process.acquired),
            released: traced(process.released),
            acquired_per_second: rate(process.acquired_per_second),
            released_per_second: rate(process.released_per_second),
            subsystems: subsystems.collect(),
            evidence: &process.evidence,
            threads: process.threads.iter().map(ThreadKeys::from).collect(),
            extents_held: extents.collect(),
            hold_times: hold_times.map(HoldTimeKeys::from).collect(),
            ended: process.ended.map(|ended| EndedKeys::of(ended, start)),
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

impl EndedKeys {
    fn of(ended: ProcessEnd, start: Nanos) -> Self {
        Self {
            signal: ended.signal,
            status: ended.status,
            pages_held: ended.pages_held,
            after_start_ns: ended.time.since(start).0,
        }
    }
}
