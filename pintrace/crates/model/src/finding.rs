//! A finding: a claim about pinned memory, with its evidence.

pub mod coverage;
mod name;
pub mod text;

use std::sync::Arc;

use pintrace_events::units::{Nanos, Pid, Tid};
use pintrace_events::{Cause, MappingChange};

use super::subsystem::Subsystem;

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// A page that the process had pinned was copied on write.
    CowAfterPin,
    /// fork copied pinned pages for the child at once.
    ForkCopiedPinned,
    /// A mapping of pinned pages was changed.
    MappingTouched,
    /// Pages are still pinned after the exit of their mm.
    PinOutlivesMm,
    /// Pages are held for long without `FOLL_LONGTERM`.
    UndeclaredLongterm,
    /// A pinned anonymous page is not exclusive to one process.
    PinnedNotExclusive,
    /// A page with a `FOLL_GET` reference and without a pin was copied on write.
    GetNotPin,
    /// Another thread pinned pages in an open flush window.
    PinInFlushWindow,
    /// Another thread had a write fault in an open flush window.
    FaultInFlushWindow,
    /// A pinned page was copied on write in an open flush window.
    CowInFlushWindow,
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The kernel handles the case; the user should know about it.
    Note,
    /// Data can be lost, or memory stays in use, if the program relies on the pin.
    Hazard,
    /// This kernel should prevent the case.
    Alarm,
}

/// One finding with all its repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Kind of the finding.
    pub kind: FindingKind,
    /// Severity of the finding.
    pub severity: Severity,
    /// The operation concerned pinned pages for certain; false if it may have.
    pub certain: bool,
    /// Process that holds the pin, or process whose memory was write-protected.
    pub pid: Pid,
    /// Command name of that process.
    pub comm: String,
    /// Lowest user address concerned; the lowest offset in the file, in bytes, if [`Finding::is_in_file`].
    pub address: u64,
    /// Address or offset after the highest one concerned; 0 if unknown.
    pub end: u64,
    /// Number of distinct pages concerned: an upper bound, or a lower bound for [`FindingKind::UndeclaredLongterm`].
    pub pages: u64,
    /// Number of times.
    pub count: u64,
    /// Time of the first occurrence.
    pub first: Nanos,
    /// Time of the latest occurrence.
    pub last: Nanos,
    /// The pin, if the finding concerns one.
    pub pin: Option<PinSide>,
    /// The operation that caused the finding, if there was one.
    pub trigger: Option<TriggerSide>,
    /// Meaning of the finding, for the user.
    pub explanation: &'static str,
    /// Remedy, for the user.
    pub advice: &'static str,
}

/// The pin of a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinSide {
    /// Thread that pinned.
    pub tid: Tid,
    /// Subsystem that pinned.
    pub subsystem: Subsystem,
    /// First address of the extent; 0 for short-term pins.
    pub address: u64,
    /// Address after the last address of the extent; 0 for short-term pins.
    pub end: u64,
    /// Pages held at the time of the finding.
    pub pages: u64,
    /// The pin was taken with `FOLL_LONGTERM`.
    pub longterm: bool,
    /// The page has a `FOLL_GET` reference and no pin.
    pub reference: bool,
    /// Age of the pin at the time of the finding.
    pub age: Nanos,
    /// Function that called the pin function, as `symbol [module]`; empty if unknown.
    pub caller: Arc<str>,
    /// Kernel stack of the pin call.
    pub stack: Arc<[String]>,
}

/// The operation that caused a finding, with its process, thread and stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerSide {
    /// Operation.
    pub what: TriggerKind,
    /// Process that did the operation.
    pub pid: Pid,
    /// Thread; 0 if unknown.
    pub tid: Tid,
    /// Command name of the process.
    pub comm: String,
    /// Kernel stack of the operation.
    pub stack: Arc<[String]>,
}

/// The operation that caused a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TriggerKind {
    /// A change to the mapping.
    Mapping(MappingChange),
    /// A write fault that copied the page.
    Write,
    /// A read fault that asked for an exclusive copy (`FAULT_FLAG_UNSHARE`).
    Unshare,
    /// A write protection whose TLB flush was pending.
    Protected(Cause),
}

/// Flush windows of one process and cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowTotals {
    /// Process whose memory was write-protected.
    pub pid: Pid,
    /// Command name of the process.
    pub comm: String,
    /// Cause of the write protection.
    pub cause: Cause,
    /// Windows in which a page was write-protected.
    pub count: u64,
    /// Pages write-protected.
    pub pages: u64,
    /// Median length, rounded up to a power of two in nanoseconds, but no more than `max`.
    pub p50: Nanos,
    /// 99th percentile of the length, rounded like `p50`.
    pub p99: Nanos,
    /// Maximum length.
    pub max: Nanos,
    /// Write faults of other threads in open windows.
    pub faults: u64,
    /// Write faults of other threads in open windows that copied the page.
    pub cows: u64,
    /// Pages pinned by other threads in open windows.
    pub pins: u64,
}

/// Flush windows of all processes by one cause since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSums {
    /// Windows in which a page was write-protected.
    pub count: u64,
    /// Pages write-protected.
    pub pages: u64,
    /// Maximum length.
    pub max: Nanos,
    /// Write faults of other threads in open windows.
    pub faults: u64,
    /// Write faults of other threads in open windows that copied the page.
    pub cows: u64,
    /// Pages pinned by other threads in open windows.
    pub pins: u64,
}
