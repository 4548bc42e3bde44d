//! What a finding is: a claim about the kernel, with its evidence.

pub mod coverage;
mod name;
pub mod text;

use std::sync::Arc;

use pintrace_events::units::{Nanos, Pid, Tid};
use pintrace_events::{Cause, MappingChange};

use super::subsystem::Subsystem;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// A write copied a page that the same process had pinned.
    CowAfterPin,
    /// fork copied pinned pages for the child at once.
    ForkCopiedPinned,
    /// A mapping of pinned pages was changed.
    MappingTouched,
    /// The address space is gone, the pin is not.
    PinOutlivesMm,
    /// Held for long without `FOLL_LONGTERM`.
    UndeclaredLongterm,
    /// A write copied a page that somebody has a reference to and no pin.
    GetNotPin,
    /// Pages were pinned in a range whose flush was pending.
    PinInFlushWindow,
    /// Another thread's write fault hit a range whose flush was pending.
    FaultInFlushWindow,
    /// A page was copied in a range whose flush was pending.
    CowInFlushWindow,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; the kernel copes.
    Note,
    /// Data can be lost if the program relies on the pin.
    Hazard,
    /// This kernel should not let it happen.
    Alarm,
}

/// One finding; repeats are folded into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// How bad.
    pub severity: Severity,
    /// Whether it did concern pinned pages; else it may have.
    pub certain: bool,
    /// Process that holds the pin, or whose memory the window was in.
    pub pid: Pid,
    /// Its command name.
    pub comm: String,
    /// Lowest user address concerned; an offset in the file for [`MappingChange::Truncate`].
    pub address: u64,
    /// After the highest.
    pub end: u64,
    /// Distinct pages concerned, as far as that is known: no more than these, or no less for
    /// [`FindingKind::UndeclaredLongterm`].
    pub pages: u64,
    /// How often.
    pub count: u64,
    /// When first.
    pub first: Nanos,
    /// When last.
    pub last: Nanos,
    /// The pin, where there is one.
    pub pin: Option<PinSide>,
    /// What was done, where something was.
    pub trigger: Option<TriggerSide>,
    /// What it means, in a sentence.
    pub explanation: &'static str,
    /// What to do, in another.
    pub advice: &'static str,
}

/// The pin of a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinSide {
    /// Thread that pinned.
    pub tid: Tid,
    /// Through which part of the kernel.
    pub subsystem: Subsystem,
    /// Extent: first address and the one after the last; 0 for short-term pins.
    pub address: u64,
    /// See `address`.
    pub end: u64,
    /// Pages held then.
    pub pages: u64,
    /// With `FOLL_LONGTERM`.
    pub longterm: bool,
    /// A reference (`FOLL_GET`), and no pin.
    pub reference: bool,
    /// How long it had been held then.
    pub age: Nanos,
    /// Kernel stack of the pin call.
    pub stack: Arc<[String]>,
}

/// What was done to pinned memory, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerSide {
    /// What.
    pub what: TriggerKind,
    /// Process.
    pub pid: Pid,
    /// Thread; 0 if it is not known which of the process's it was.
    pub tid: Tid,
    /// Command name.
    pub comm: String,
    /// Kernel stack then.
    pub stack: Arc<[String]>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TriggerKind {
    /// To the mapping.
    Mapping(MappingChange),
    /// A write that copied the page.
    Write,
    /// A read that asked for a page of its own.
    Unshare,
    /// Write-protected, and not flushed yet.
    Protected(Cause),
}

/// Pending-flush windows of one process and cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowTotals {
    /// Process.
    pub pid: Pid,
    /// Its command name.
    pub comm: String,
    /// Why.
    pub cause: Cause,
    /// Windows in which a page was changed.
    pub count: u64,
    /// Pages changed.
    pub pages: u64,
    /// Half of them were no longer than this; as exact as powers of two are.
    pub p50: Nanos,
    /// 99 in 100 were no longer than this.
    pub p99: Nanos,
    /// The longest.
    pub max: Nanos,
    /// Write faults of other threads in open windows.
    pub faults: u64,
    /// Of these, those that copied.
    pub cows: u64,
    /// Pages pinned in open windows.
    pub pins: u64,
}
