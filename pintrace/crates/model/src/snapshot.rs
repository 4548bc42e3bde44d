//! The snapshot: one immutable value with the state of the model at one moment.
//!
//! Every figure of a view is a field of the snapshot or is derived in [`super::field`]. Counts are pages, counted as
//! the kernel counts pins, unless a field says bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use pintrace_events::units::{AccountId, ExtentId, Nanos, Pid, Tid};
use pintrace_events::{
    Cause, ChangesSuppressed, DetailShed, Evidence, FileId, FlushCheck, ScanSampled, Started, Stopped,
};

use super::finding::coverage::FindingHooks;
use super::finding::{Finding, FindingKind, Severity, WindowSums, WindowTotals};
use super::hold_times::HoldTimes;
use super::own_cost::OwnCost;
use super::pin_calls::{CallTotals, InFlight, PinCallRow};
use super::registrations::FailedRegistration;
use super::selection::Selection;
use super::shared_list::SharedList;
use super::subsystem::Subsystem;

/// The model's state at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The wall-clock time at which a live session took the snapshot, in ns since 1970; 0 if not known. The monotonic clock of
    /// `time` stands still while the machine is suspended, and the wall clock may be set.
    pub taken_wall_ns: u64,
    /// Time of the last event applied.
    pub time: Nanos,
    /// Time since the start of the stream.
    pub duration: Nanos,
    /// The stream header; the default if the stream has none.
    pub started: Arc<Started>,
    /// The stream has an end event; false for a file that was cut short.
    pub stopped: bool,
    /// The end event, if `stopped`.
    pub ending: Option<Stopped>,
    /// The balance of vmstat and ledger.
    pub balance: Balance,
    /// Figures of the latest scan, if there was a scan.
    pub scan: Option<ScanSampled>,
    /// Every loss counter by name, zeroes included, in catalogue order.
    pub loss: Vec<(&'static str, u64)>,
    /// Processes that changed mappings faster than the limit, with the number of changes that were not examined; the
    /// largest number first. The processes with the smallest numbers may be absent.
    pub suppressed: Vec<ChangesSuppressed>,
    /// Every process that has pinned, ended processes included; by pid, then by order of appearance.
    pub processes: SharedList<Arc<Process>>,
    /// Totals by subsystem, largest holder first.
    pub subsystems: Vec<SubsystemTotals>,
    /// Findings, worst first, then latest first.
    pub findings: Vec<Finding>,
    /// Number of findings of each kind and severity, repeats included.
    pub finding_counts: BTreeMap<(FindingKind, Severity), u64>,
    /// Findings that were replaced by a worse finding or found no room. A repeat of a dropped finding counts again.
    pub findings_dropped: u64,
    /// Flush windows, by process and cause. Processes whose windows ended long ago may be absent.
    pub windows: Vec<WindowTotals>,
    /// Flush windows by cause since the start, those of all processes.
    pub windows_by_cause: BTreeMap<Cause, WindowSums>,
    /// Pin calls by process and subsystem. Short-term calls are only counted if they fail.
    pub pin_calls: Arc<[PinCallRow]>,
    /// Pin calls by subsystem since the start, processes that the model has forgotten included.
    pub pin_call_totals: Arc<BTreeMap<Subsystem, CallTotals>>,
    /// Long-term pin calls in flight; the registration that began first is first.
    pub calls_in_flight: Vec<InFlight>,
    /// Number of all long-term pin calls in flight.
    pub number_in_flight: u64,
    /// Registrations of memory that the kernel refused, the latest first.
    pub failed_registrations: Vec<FailedRegistration>,
    /// Number of refused registrations by call and error number.
    pub registration_failures: BTreeMap<(Cow<'static, str>, u32), u64>,
    /// Write faults in flush windows, compared with the kernel's own count of pending flushes.
    pub flush_check: FlushCheck,
    /// The finding hooks that wait for pins.
    pub finding_hooks: FindingHooks,
    /// The details that the session gave up to keep within its budget, in order.
    pub shed: Vec<DetailShed>,
    /// Events that could not be applied, because their id was never opened or a table of the model was full. 0 for
    /// every stream of this version of pintrace.
    pub unapplied_events: u64,
    /// What pintrace itself takes of the host; `None` for a recording, and before the first sample.
    pub own_cost: Option<Arc<OwnCost>>,
    /// The query that chose the processes of the snapshot; `None` if these are all processes. See [`Snapshot::select`].
    pub selection: Option<Arc<Selection>>,
}

/// The balance of vmstat and ledger, which shows whether the figures can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// The vmstat counters could be read; if not, `vmstat_*` and `unaccounted` have no meaning.
    pub vmstat_readable: bool,
    /// `nr_foll_pin_acquired` since the start.
    pub vmstat_acquired: u64,
    /// `nr_foll_pin_released` since the start.
    pub vmstat_released: u64,
    /// Pages pinned host-wide now, by the vmstat counters: pages pinned at the start, plus acquired and
    /// `not_in_vmstat`, minus released.
    pub vmstat_held: i64,
    /// Pages that the hooks saw pinned.
    pub ledger_acquired: u64,
    /// Pages that the hooks saw released, of pins in the ledger.
    pub ledger_released: u64,
    /// Pages that the ledger holds.
    pub ledger_held: i64,
    /// Pages pinned that the vmstat counters count only when they are released (`folio_add_pin`, mm/gup.c).
    pub not_in_vmstat: u64,
    /// Pages pinned and unpinned again inside one pin call.
    pub gup_retry: u64,
    /// Pages that are still held by pins taken before the start.
    pub preexisting_held: i64,
    /// Pages released of pins taken before the start.
    pub preexisting_released: u64,
    /// Pages released since the start whose pin was taken since the start and was lost.
    pub lost_pin_released: u64,
    /// `vmstat_held - preexisting_held - ledger_held - in_flight`.
    pub unaccounted: i64,
    /// Difference between vmstat and ledger that comes only from pins and releases between the two readings:
    /// `vmstat_held = preexisting_held + ledger_held + in_flight + unaccounted`.
    pub in_flight: i64,
    /// Pages released from a folio with several owners, where the owner was chosen by rule.
    pub ambiguous_owner: u64,
    /// Pages of `preexisting_held` whose holder is known.
    pub preexisting_attributed: u64,
    /// Pages that reconciliation added to the ledger or removed from it, after a loss.
    pub reconciled_pages: u64,
}

/// One process that has pinned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// Thread group id.
    pub pid: Pid,
    /// At least the number of earlier processes with the same pid. It tells them apart: a later one has a larger number.
    pub earlier_processes: u32,
    /// Command name.
    pub comm: String,
    /// Command line; empty if unread.
    pub cmdline: String,
    /// Real user id, if read.
    pub uid: Option<u32>,
    /// cgroup v2 path; empty if unread.
    pub cgroup: String,
    /// Open extents; an account that holds short-term pins counts as one.
    pub extents: u64,
    /// Pages held now.
    pub pages_held: u64,
    /// Bytes kept in place now: a pin on a part of a large folio keeps all of the folio.
    pub bytes_held: u64,
    /// Bytes of `bytes_held` in folios of 2 MiB and more.
    pub huge_bytes_held: u64,
    /// Pages of `pages_held` that were pinned with `FOLL_LONGTERM`.
    pub longterm_pages_held: u64,
    /// Pages of `pages_held` that a scan found, of which only the number is known.
    pub scan_pages_held: u64,
    /// The hooks never saw the process pin or release: only the pages held are known.
    pub untraced: bool,
    /// Time of the oldest pin held; for short-term pins, the time since which the account has held some without a break.
    /// `None` without a traced pin. See [`Process::oldest`].
    pub oldest_since: Option<Nanos>,
    /// The process holds pins that are older than this: a scan found them when the session began. `None` without such pins,
    /// and in mode scan, where a later scan may find other pins of the same holder.
    pub older_than: Option<Nanos>,
    /// Pages pinned since the start.
    pub acquired: u64,
    /// Pages released since the start.
    pub released: u64,
    /// Pages pinned per second, over the last full tick.
    pub acquired_per_second: f64,
    /// Pages released per second, over the last full tick.
    pub released_per_second: f64,
    /// Pages held by subsystem; 0 for a subsystem that pinned before and holds nothing now.
    pub subsystems: BTreeMap<Subsystem, u64>,
    /// Pages of `scan_pages_held` by evidence: what showed the scan that the process holds them.
    pub evidence: BTreeMap<Evidence, u64>,
    /// Totals by thread, in order of tid.
    pub threads: Vec<Thread>,
    /// The extents held, oldest first.
    pub open_extents: SharedList<OpenExtent>,
    /// The accounts that hold pages of which no extent is known: short-term pins, pins that a scan found, and long-term pins
    /// that found no room in the extent table. In order of account.
    pub held_accounts: Vec<HeldAccount>,
    /// How long the extents were held that have been released.
    pub hold_times: HoldTimes,
    /// Set when the process has ended.
    pub ended: Option<ProcessEnd>,
}

/// One thread's part of its process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// Thread id.
    pub tid: Tid,
    /// Command name of the thread.
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
    /// Account that pinned it.
    pub account: AccountId,
    /// Id of the extent.
    pub extent: ExtentId,
    /// Thread that pinned it.
    pub tid: Tid,
    /// User address of the first page; of the pages of a memfd, the offset in the file.
    pub address: u64,
    /// User address, or offset in the file, after the last page.
    pub end: u64,
    /// The extent is of pages of a memfd, which belong to no mm (`memfd_pin_folios`, mm/gup.c).
    pub is_in_file: bool,
    /// Pages pinned by the extent in total.
    pub pages: u64,
    /// Pages held now.
    pub pages_held: u64,
    /// Bytes kept in place now.
    pub bytes_held: u64,
    /// Time of the first pin call of the extent.
    pub since: Nanos,
    /// Some pages were released, and the addresses of the remaining pages are not known.
    pub partially_released: bool,
    /// The open file on which the system call pinned; 0 if the call has none, or if the source does not say.
    pub file: FileId,
    /// The descriptor of `file` in the process when the process pinned, if known. The process may have closed it since, or
    /// given the file another one.
    pub descriptor: Option<u32>,
    /// The last reference to `file` is gone, and the kernel has not released the pages yet.
    pub file_released: bool,
    /// Subsystem that pinned the extent.
    pub subsystem: Subsystem,
    /// Function that called the pin function, as `symbol [module]`; empty if unknown. Extents share callers.
    pub caller: Arc<str>,
    /// Kernel stack of the pin call, innermost frame first, as `symbol+0xoffset [module]`. Extents share stacks.
    pub stack: Arc<[String]>,
}

/// The pins of one account of which no extent is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldAccount {
    /// Id of the account.
    pub account: AccountId,
    /// Thread that pinned; the process if a scan found the pins.
    pub tid: Tid,
    /// Pages held now.
    pub pages_held: u64,
    /// Bytes kept in place now.
    pub bytes_held: u64,
    /// The pages were pinned with `FOLL_LONGTERM`.
    pub longterm: bool,
    /// A scan found the pins.
    pub from_scan: bool,
    /// What showed the scan that the process holds the pins.
    pub evidence: Option<Evidence>,
    /// The open file in whose table the scan found the pins; 0 if there is none.
    pub file: FileId,
    /// The last reference to that file is gone, and the kernel has not released the pages yet.
    pub file_released: bool,
    /// The descriptor of that file in the process at the time of the scan; `None` if unknown.
    pub descriptor: Option<u32>,
    /// Time since which the account has held pages without a break; `None` if a scan found the pins.
    pub since: Option<Nanos>,
    /// The pins are older than this; `None` as for [`Process::older_than`].
    pub older_than: Option<Nanos>,
    /// Subsystem that pinned.
    pub subsystem: Subsystem,
    /// Function that called the pin function, as `symbol [module]`; empty if unknown.
    pub caller: Arc<str>,
    /// Kernel stack of the first pin, innermost frame first.
    pub stack: Arc<[String]>,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessEnd {
    /// Time of the exit.
    pub time: Nanos,
    /// Signal that killed the process; 0 if it exited.
    pub signal: u32,
    /// Exit status, if no signal killed the process.
    pub status: u32,
    /// Pages that the process held at the exit.
    pub pages_held: u64,
}

/// Totals of one subsystem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubsystemTotals {
    /// The subsystem.
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

impl Process {
    /// Returns the age of the oldest pin held at `now`; 0 without a traced pin.
    #[must_use]
    pub fn oldest(&self, now: Nanos) -> Nanos {
        self.oldest_since.map_or(Nanos(0), |since| now.since(since))
    }
}

impl Snapshot {
    /// Returns the sum of all loss counters; 0 means that nothing was lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let counters = self.loss.iter().map(|(_, count)| *count);
        counters.fold(self.unapplied_events, u64::saturating_add)
    }

    /// Returns the totals of a subsystem; zeroes if it never pinned.
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
