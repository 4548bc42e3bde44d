//! The JSON lines on standard output, each flushed at once: pinload's contract with tests.
//!
//! Owns the names of the keys. Later versions add keys, never rename.

use std::io::{self, Write};

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{getpid, gettid};
use serde::Serialize;

use crate::choice::{Backing, PinKind, ReleaseMethod};
use crate::failure::{Failure, Result};
use crate::pins::PinCounts;

/// What happened to one holder's pins.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HolderLine {
    /// `ready`, `touched`, `outlived`, `releasing` or `released`.
    pub(crate) event: &'static str,
    /// The process that pinned.
    pub(crate) pid: i32,
    /// The thread that pinned.
    pub(crate) tid: i32,
    /// How it pinned.
    pub(crate) kind: PinKind,
    /// On which memory.
    pub(crate) backing: Backing,
    /// First byte of the range, in the address space of `target_pid` where there is one.
    pub(crate) address: String,
    /// 4 KiB pages in the range.
    pub(crate) pages: u64,
    /// What the books are to show since this holder began.
    pub(crate) expected_pins: PinCounts,
    /// What the books did show (`--verify`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vmstat: Option<PinCounts>,
    /// The process whose memory was pinned, if another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_pid: Option<i32>,
    /// The process that created the ring, if another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ring_owner_pid: Option<i32>,
    /// How the pins ended or will end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) release: Option<ReleaseMethod>,
    /// The kernel gives the pins back from a work queue: the books may lag behind this line.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deferred: bool,
    /// What was done to the pinned range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<crate::range_change::RangeChangeReport>,
    /// CLOCK_MONOTONIC before the pin, touch or release, in nanoseconds.
    pub(crate) began_ns: u64,
    /// CLOCK_MONOTONIC after it, in nanoseconds.
    pub(crate) time_ns: u64,
}

/// Why pinload ends without having done what was asked.
#[derive(Debug, Serialize)]
struct ErrorLine<'a> {
    event: &'static str,
    pid: i32,
    what: &'a str,
    remedy: &'a str,
    code: u8,
}

/// Nanoseconds of CLOCK_MONOTONIC, the clock of `bpf_ktime_get_ns`.
pub(crate) fn now_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
    })
}

/// The calling process and thread.
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
                    "give it a place to write to",
                )
            }
        })
}

/// Tells a failure to the test (as JSON) and to the reader (on standard error).
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
    // Whoever cannot be told on standard output is told below.
    let _ = print(&line);
    let _ = writeln!(io::stderr(), "pinload: {failure}");
}

/// That the death of a process has released its pins, told by its supervisor (`--verify`).
#[derive(Debug, Serialize)]
pub(crate) struct ProcessEndLine {
    /// `released`.
    pub(crate) event: &'static str,
    /// The process that died.
    pub(crate) pid: i32,
    /// How it had pinned.
    pub(crate) kind: PinKind,
    /// On which memory.
    pub(crate) backing: Backing,
    /// 4 KiB pages in the range.
    pub(crate) pages: u64,
    /// What the books are to show since the process began.
    pub(crate) expected_pins: PinCounts,
    /// What they did show.
    pub(crate) vmstat: PinCounts,
    /// `exit` or `kill`.
    pub(crate) release: ReleaseMethod,
    /// CLOCK_MONOTONIC at the process's begin, in nanoseconds.
    pub(crate) began_ns: u64,
    /// CLOCK_MONOTONIC once the books were settled, in nanoseconds.
    pub(crate) time_ns: u64,
}
