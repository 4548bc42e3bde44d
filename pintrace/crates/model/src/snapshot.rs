//! What the views draw from: one immutable value, true at one moment.
//!
//! Every figure that any view shows is a field here or is derived in [`super::field`]; views never
//! look behind it. Counts are pages as the kernel counts pins, unless a field says bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use pintrace_events::units::{Nanos, Pid, Tid};
use pintrace_events::{FlushCheck, ScanSampled, Started, Stopped};

use super::finding::{Finding, FindingKind, Severity, WindowTotals};
use super::subsystem::Subsystem;

/// The model's state at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Moment of the last event applied.
    pub time: Nanos,
    /// Since the start of the stream.
    pub duration: Nanos,
    /// Circumstances of the stream; default when it had no start.
    pub started: Arc<Started>,
    /// The stream ended in order (a file cut short did not).
    pub stopped: bool,
    /// How it ended, if `stopped`.
    pub ending: Option<Stopped>,
    /// Vmstat against ledger.
    pub balance: Balance,
    /// The latest look at all memory, if there was one.
    pub scan: Option<ScanSampled>,
    /// Every loss counter by name, zeroes included, in catalogue order.
    pub loss: Vec<(&'static str, u64)>,
    /// Every process that has pinned, also those that ended; by pid, then by order of appearance.
    pub processes: Vec<Process>,
    /// Totals by subsystem, largest holder first.
    pub subsystems: Vec<SubsystemTotals>,
    /// What was found, worst first, then latest first.
    pub findings: Vec<Finding>,
    /// How often each kind was found at each severity that it can have, repeats included.
    pub finding_counts: BTreeMap<(FindingKind, Severity), u64>,
    /// Findings that gave way to a worse one, or found no room; a repeat of those counts again.
    pub findings_dropped: u64,
    /// Pending-flush windows, by process and cause.
    pub windows: Vec<WindowTotals>,
    /// Those windows against the kernel's own count.
    pub flush_check: FlushCheck,
    /// Events that could not be folded in: they speak of what was never opened, or a table of the
    /// model was full. 0 on every stream that a pintrace of this version made.
    pub unapplied_events: u64,
}

/// Vmstat against ledger: whether the figures can be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// The vmstat counters could be read; without them `books_*` and `unaccounted` mean nothing.
    pub vmstat_readable: bool,
    /// `nr_foll_pin_acquired` since the start.
    pub vmstat_acquired: u64,
    /// `nr_foll_pin_released` since the start.
    pub vmstat_released: u64,
    /// Pages pinned host-wide now, by the vmstat counters: those of the start plus acquired and `not_in_vmstat` minus released.
    pub vmstat_held: i64,
    /// Pages the hooks saw pinned.
    pub ledger_acquired: u64,
    /// Pages the hooks saw released, of pins the ledger knew.
    pub ledger_released: u64,
    /// Pages that the ledger holds.
    pub ledger_held: i64,
    /// Pages pinned that the vmstat counters count only when they are released (`folio_add_pin`, mm/gup.c).
    pub not_in_vmstat: u64,
    /// Pages pinned and dropped again inside a pin call.
    pub gup_retry: u64,
    /// Pages still held of the pins taken before the start.
    pub preexisting_held: i64,
    /// Pages released of the pins taken before the start.
    pub preexisting_released: u64,
    /// `vmstat_held - preexisting_held - ledger_held`, less what was under way while sampling.
    pub unaccounted: i64,
    /// What vmstat and ledger differ by only because pins came and went between reading one and the
    /// other: `vmstat_held = preexisting_held + ledger_held + in_flight + unaccounted`.
    pub in_flight: i64,
    /// Pages released by rule from one of several holders.
    pub ambiguous_owner: u64,
    /// Of `preexisting_held`, those whose holder is known.
    pub preexisting_attributed: u64,
    /// Pages that the ledger had lost, or had too much, and that a look at memory set right.
    pub reconciled_pages: u64,
}

/// One process that has pinned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// Thread group id.
    pub pid: Pid,
    /// Command name.
    pub comm: String,
    /// Command line; empty if unread.
    pub cmdline: String,
    /// Real user id, if read.
    pub uid: Option<u32>,
    /// cgroup v2 path; empty if unread.
    pub cgroup: String,
    /// Open extents, counting an account that holds short-term pins as one.
    pub extents: u64,
    /// Pages held now.
    pub pages_held: u64,
    /// Bytes kept in place now: a pin on part of a large folio holds all of it.
    pub bytes_held: u64,
    /// Of `pages_held`, those with `FOLL_LONGTERM`.
    pub longterm_pages_held: u64,
    /// Of `pages_held`, those that were found by looking at memory, so that nothing else is known of them.
    pub scan_pages_held: u64,
    /// It was never seen to pin or release: all but what it holds is unknown.
    pub untraced: bool,
    /// Age of the oldest pin held; for short-term pins, how long the account has held some without a break.
    pub oldest: Nanos,
    /// Pages pinned since the start.
    pub acquired: u64,
    /// Pages released since the start.
    pub released: u64,
    /// Pages pinned a second, over the last full tick.
    pub acquired_per_second: f64,
    /// Pages released a second, over the last full tick.
    pub released_per_second: f64,
    /// Pages held by subsystem; a subsystem that holds nothing now but pinned before stands with 0.
    pub subsystems: BTreeMap<Subsystem, u64>,
    /// By thread, in order of tid.
    pub threads: Vec<Thread>,
    /// The extents held, oldest first.
    pub open_extents: Vec<OpenExtent>,
    /// Set when the process has ended.
    pub ended: Option<ProcessEnd>,
}

/// One thread's part of its process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// Thread id.
    pub tid: Tid,
    /// Its command name.
    pub comm: String,
    /// Pages held now.
    pub pages_held: u64,
    /// Pages pinned since the start.
    pub acquired: u64,
    /// Pages released since the start.
    pub released: u64,
}

/// One long-term extent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenExtent {
    /// Thread that pinned it.
    pub tid: Tid,
    /// User address of the first page.
    pub address: u64,
    /// User address after the last page.
    pub end: u64,
    /// Pages pinned in all.
    pub pages: u64,
    /// Pages held now.
    pub pages_held: u64,
    /// Bytes kept in place now.
    pub bytes_held: u64,
    /// Age.
    pub age: Nanos,
    /// Who pinned it.
    pub subsystem: Subsystem,
    /// Kernel stack of the pin call, innermost first, as `symbol+0xoffset [module]`.
    /// Shared: thousands of extents have few stacks.
    pub stack: Arc<[String]>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessEnd {
    /// When.
    pub time: Nanos,
    /// Signal that killed it, 0 if none did.
    pub signal: u32,
    /// Exit status when no signal did.
    pub status: u32,
    /// Pages that it held at that moment.
    pub pages_held: u64,
}

/// One subsystem's part of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubsystemTotals {
    /// Which.
    pub subsystem: Subsystem,
    /// Pages held now.
    pub pages_held: u64,
    /// Bytes kept in place now.
    pub bytes_held: u64,
    /// Pages pinned since the start.
    pub acquired: u64,
    /// Pages released since the start.
    pub released: u64,
}

impl Snapshot {
    /// Sum of all loss counters; 0 means that nothing was lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let counters = self.loss.iter().map(|(_, count)| *count);
        counters.fold(self.unapplied_events, u64::saturating_add)
    }

    /// A subsystem's totals, zeroes if it never pinned.
    #[must_use]
    pub fn subsystem(&self, subsystem: Subsystem) -> SubsystemTotals {
        let found = self
            .subsystems
            .iter()
            .find(|totals| totals.subsystem == subsystem);
        found.copied().unwrap_or(SubsystemTotals {
            subsystem,
            ..SubsystemTotals::default()
        })
    }
}
