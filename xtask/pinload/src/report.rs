//! The JSON lines on standard output: the interface between pinload and the tests. Each line is flushed at once.
//!
//! This file defines the names of the keys.

use std::io::{self, Write};

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{getpid, gettid};
use serde::Serialize;

use crate::choice::{Backing, PinKind, ReleaseMethod};
use crate::failure::{Failure, Result};
use crate::pins::PinCounts;

/// An event of one holder's pins.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HolderLine {
    /// `ready`, `changed`, `outlived`, `releasing` or `released`.
    pub(crate) event: &'static str,
    /// The process that pinned.
    pub(crate) pid: i32,
    /// The thread that pinned.
    pub(crate) tid: i32,
    /// The way of pinning.
    pub(crate) kind: PinKind,
    /// The kind of pages.
    pub(crate) backing: Backing,
    /// First byte of the range, in the address space of `target_pid` if present.
    pub(crate) address: String,
    /// 4 KiB pages in the range.
    pub(crate) pages: u64,
    /// The expected counts of /proc/vmstat since this holder began.
    pub(crate) expected_pins: PinCounts,
    /// The counts of /proc/vmstat (`--verify`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vmstat: Option<PinCounts>,
    /// The descriptor on which the pins were taken, while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) descriptor: Option<i32>,
    /// The process whose memory was pinned, if it is another process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_pid: Option<i32>,
    /// The process that created the ring, if it is another process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ring_owner_pid: Option<i32>,
    /// The way in which the pins were or will be released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) release: Option<ReleaseMethod>,
    /// The kernel releases the pins from a work queue, so /proc/vmstat may change after this line.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deferred: bool,
    /// The change of the pinned range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<crate::range_change::RangeChangeReport>,
    /// CLOCK_MONOTONIC before the pin, change or release, in nanoseconds.
    pub(crate) began_ns: u64,
    /// CLOCK_MONOTONIC after the pin, change or release, in nanoseconds.
    pub(crate) time_ns: u64,
}

/// The error that ends pinload.
#[derive(Debug, Serialize)]
struct ErrorLine<'a> {
    event: &'static str,
    pid: i32,
    what: &'a str,
    remedy: &'a str,
    code: u8,
}

/// Returns the nanoseconds of CLOCK_MONOTONIC, the clock of `bpf_ktime_get_ns`.
pub(crate) fn now_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
    })
}

/// Returns the ids of the calling process and thread.
pub(crate) fn caller() -> (i32, i32) {
    (getpid().as_raw(), gettid().as_raw())
}

/// Prints one line and flushes it.
pub(crate) fn print(line: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string(line)
        .map_err(|error| Failure::failed(format!("cannot write JSON: {error}"), "report this as a bug"))?;
    text.push('\n');
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                Failure::peer_gone()
            } else {
                Failure::failed(
                    format!("cannot write to standard output: {error}"),
                    "redirect standard output to a writable file",
                )
            }
        })
}

/// Reports a failure as a JSON line for tests, and as text on standard error for the user.
pub(crate) fn failure(failure: &Failure) {
    if failure.code == 0 {
        return;
    }
    let (pid, _) = caller();
    let line = ErrorLine {
        event: "error",
        pid,
        what: &failure.what,
        remedy: &failure.remedy,
        code: failure.code,
    };
    // If standard output is closed, standard error still has the message.
    let _ = print(&line);
    let _ = writeln!(io::stderr(), "pinload: {failure}");
}

/// The exit of a process that released its pins; the parent prints this line (`--verify`).
#[derive(Debug, Serialize)]
pub(crate) struct ProcessEndLine {
    /// `released`.
    pub(crate) event: &'static str,
    /// The process that exited.
    pub(crate) pid: i32,
    /// The way of pinning.
    pub(crate) kind: PinKind,
    /// The kind of pages.
    pub(crate) backing: Backing,
    /// 4 KiB pages in the range.
    pub(crate) pages: u64,
    /// The expected counts of /proc/vmstat since the process began.
    pub(crate) expected_pins: PinCounts,
    /// The counts of /proc/vmstat.
    pub(crate) vmstat: PinCounts,
    /// `exit` or `kill`.
    pub(crate) release: ReleaseMethod,
    /// CLOCK_MONOTONIC at the start of the process, in nanoseconds.
    pub(crate) began_ns: u64,
    /// CLOCK_MONOTONIC once the pin counters were stable, in nanoseconds.
    pub(crate) time_ns: u64,
}
