//! The stream: everything the model may know, in the order in which it is applied.
//!
//! Inputs only, never conclusions: a recording holds these, so that a mended model gives better
//! answers on old files. Counts are pages as the kernel counts pins, unless a field says bytes.

pub mod balance;
mod mm_events;
pub mod units;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::units::{AccountId, ExtentId, Nanos, Pid, StackId, Tid};

pub use mm_events::{
    Cause, CowSampled, FlushCheck, FollGetReference, MappingChange, MappingChanged, WindowsSampled,
};

/// One entry of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened, or was sampled.
    pub time: Nanos,
    /// What happened.
    pub body: Body,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// First of every stream: all hooks are attached and counting has begun.
    Started(Started),
    /// A process was met for the first time.
    ProcessSeen(ProcessSeen),
    /// A process ended; its pins may outlive it.
    ProcessExited(ProcessExited),
    /// A thread began to pin through a caller.
    AccountOpened(AccountOpened),
    /// An account's totals, sampled because they changed.
    AccountSampled(AccountSampled),
    /// An account of a thread that has ended and holds nothing; its last totals came before.
    AccountClosed(AccountId),
    /// A long-term extent came into being.
    ExtentOpened(ExtentOpened),
    /// An open extent's state, sampled because it changed.
    ExtentSampled(ExtentSampled),
    /// The first page of an extent was released, and others are left: which ones is not known any more.
    ExtentPartiallyReleased(ExtentPartiallyReleased),
    /// The last page of an extent was released.
    ExtentClosed(ExtentClosed),
    /// A kernel stack, innermost frame first, as addresses.
    StackSeen(StackSeen),
    /// A kernel address has a name.
    SymbolSeen(SymbolSeen),
    /// The kernel's vmstat counters and the ledger's totals, sampled together.
    BalanceSampled(BalanceSampled),
    /// Loss counters since the start, by [`pintrace_common::counters::Loss`] name. Zeroes may be absent.
    LossSampled(BTreeMap<String, u64>),
    /// What one look at all memory found.
    ScanSampled(ScanSampled),
    /// Somebody changed a mapping in or near a range that long-term pins hold.
    MappingChanged(MappingChanged),
    /// An address space came to its end; its pins may outlive it. What it was may be given to another one.
    MmExited(MmId),
    /// The same of a file.
    AddressSpaceFreed(AddressSpaceId),
    /// Copies made of pinned pages, sampled because there were more.
    CowSampled(CowSampled),
    /// Pending-flush windows of one process and cause, sampled because there were more.
    WindowsSampled(WindowsSampled),
    /// Faults inside windows by our hooks and by the kernel's own count, since the start.
    FlushCheckSampled(FlushCheck),
    /// Time passed and all samples of this moment have been given: views may draw.
    Tick,
    /// Last of a stream that ended in order.
    Stopped(Stopped),
}

/// The circumstances of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Version of pintrace that produced the stream.
    pub tool: String,
    /// Kernel release string (`uname -r`).
    pub kernel: String,
    /// Machine (`uname -m`).
    pub machine: String,
    /// Host name.
    pub host: String,
    /// Wall clock at [`Event::time`] of this event, ns since 1970.
    pub wall_ns: u64,
    /// Bytes of a page.
    pub page_size: u32,
    /// Which witnesses feed the stream: `events`, `state` or `both`.
    pub mode: String,
    /// Why nothing is traced, if that was wanted and cannot be.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub without_trace: String,
    /// Why nothing looks for findings, if that is so where functions are traced: `--no-findings`, or what is not known
    /// of the kernel.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub without_findings: String,
    /// What is attached.
    pub probes: Vec<Probe>,
    /// Functions that are there and could not be hooked: what goes through them is not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingHook>,
    /// The command run by `record -- COMMAND`, if any.
    pub command: Vec<String>,
    /// The kernel keeps exclusive anonymous pages from being copied (`PG_anon_exclusive`, 5.19).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclusive_pages: bool,
}

/// One attached program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What it serves, such as `acquire`.
    pub purpose: String,
    /// Kernel function or tracepoint.
    pub function: String,
    /// `fentry`, `fexit`, `kprobe`, `kretprobe` or `tracepoint`.
    pub method: String,
}

/// A function that is there and could not be hooked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingHook {
    /// Kernel function or tracepoint.
    pub function: String,
    /// What the kernel said.
    pub why: String,
    /// What is not seen for that reason.
    pub lost: String,
}

/// Who a process is. Read from /proc once, kept after its death.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSeen {
    /// Thread group id.
    pub pid: Pid,
    /// Parent, 0 if unknown.
    pub parent: Pid,
    /// Command name.
    pub comm: String,
    /// Command line, arguments separated by spaces; empty if unread.
    pub cmdline: String,
    /// Real user id, if read.
    pub uid: Option<u32>,
    /// cgroup v2 path, empty if unread.
    pub cgroup: String,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessExited {
    /// Thread group id.
    pub pid: Pid,
    /// Signal that killed it, 0 if none did.
    pub signal: u32,
    /// Exit status when no signal did.
    pub status: u32,
    /// Pages that its long-term pins held at that moment; `None` if the source does not say.
    #[serde(default)]
    pub longterm_pages_held: Option<u64>,
}

/// A new account: one thread, one address space, one caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountOpened {
    /// Its id.
    pub account: AccountId,
    /// Process that pins.
    pub pid: Pid,
    /// Thread that pins.
    pub tid: Tid,
    /// Its command name then.
    pub comm: String,
    /// Kernel address of the pinned `mm_struct`, as an identity; 0 for the process's own.
    pub mm: u64,
    /// Return address in the caller of the pin function; 0 if unknown.
    pub caller: u64,
    /// Pins with `FOLL_LONGTERM`.
    pub longterm: bool,
    /// cgroup v2 id.
    pub cgroup: u64,
    /// Stack of its first pin.
    pub stack: Option<StackId>,
    /// Found by looking at memory: which thread pinned, when, how and by which call is not known. Its totals tell what
    /// it holds, and not what came and went.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_scan: bool,
    /// The subsystem that the process's open descriptors point at; empty if they do not, or it is known better.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub likely_subsystem: String,
}

/// Running totals of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSampled {
    /// Whose.
    pub account: AccountId,
    /// Pages pinned since it was opened.
    pub acquired: u64,
    /// Pages released since it was opened.
    pub released: u64,
    /// Bytes kept in place now: whole folios.
    pub bytes_held: u64,
    /// Successful pin calls since it was opened.
    pub calls: u64,
    /// Since when it has held something without a break; meaningless when it holds nothing.
    pub held_since: Nanos,
    /// Its stack, if that came later than its opening.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackId>,
}

/// A new long-term extent. Its pages are part of its account's totals too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtentOpened {
    /// Its id.
    pub extent: ExtentId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// User address of the first page.
    pub address: u64,
    /// User address after the last page.
    pub end: u64,
    /// Pages pinned.
    pub pages: u64,
    /// Bytes kept in place.
    pub bytes_held: u64,
    /// `gup_flags` as the caller gave them.
    pub flags: u32,
    /// Stack of the pin call.
    pub stack: Option<StackId>,
    /// The address space that `address` is one of, as far as the source tells.
    #[serde(default)]
    pub mm: MmId,
    /// The file that the first page belongs to; 0 for anonymous memory.
    #[serde(default)]
    pub address_space: AddressSpaceId,
    /// Where in the file, in bytes.
    #[serde(default)]
    pub file_offset: u64,
}

/// The state of an open extent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtentSampled {
    /// Which.
    pub extent: ExtentId,
    /// User address after the last page: later calls may have grown it.
    pub end: u64,
    /// Pages pinned in all.
    pub pages: u64,
    /// Pages held now.
    pub pages_held: u64,
    /// Bytes kept in place now.
    pub bytes_held: u64,
    /// Its stack, if that came later than its opening.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackId>,
}

/// An extent that is not whole any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtentPartiallyReleased {
    /// Which.
    pub extent: ExtentId,
    /// How many of its pages are left is not known either: a release was given to one of several holders by rule.
    pub ambiguous_owner: bool,
}

/// The end of an extent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtentClosed {
    /// Which.
    pub extent: ExtentId,
    /// Pages pinned in all.
    pub pages: u64,
    /// User address after the last page.
    pub end: u64,
    /// Process that was running when the last page went; in an interrupt an innocent one.
    pub by: Pid,
}

/// A kernel stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackSeen {
    /// Its id.
    pub stack: StackId,
    /// Return addresses, innermost first.
    pub frames: Vec<u64>,
}

/// The name of a kernel address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SymbolSeen {
    /// The address as it stands in stacks and callers.
    pub address: u64,
    /// Function that contains it.
    pub symbol: String,
    /// Bytes into the function.
    pub offset: u64,
    /// Module, empty for the kernel proper.
    pub module: String,
}

/// Vmstat and ledger at one moment. All but `preexisting_held` count since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceSampled {
    /// `nr_foll_pin_acquired` since the start, after a `stat_refresh`; `None` where it cannot be read.
    pub vmstat_acquired: Option<u64>,
    /// `nr_foll_pin_released` since the start.
    pub vmstat_released: Option<u64>,
    /// Pages that were pinned at the start, by the vmstat counters.
    pub preexisting_held: u64,
    /// Pages the hooks saw pinned.
    pub ledger_acquired: u64,
    /// Pages the hooks saw released, of pins that the ledger knew.
    pub ledger_released: u64,
    /// Pages the hooks saw released, of pins taken before the start.
    pub preexisting_released: u64,
    /// Pages the hooks saw pinned that the vmstat counters do not count as acquired, though they will as released
    /// (`folio_add_pin`, mm/gup.c).
    #[serde(default)]
    pub not_in_vmstat: u64,
    /// Pages pinned and dropped again inside a pin call.
    pub gup_retry: u64,
    /// Pages released by rule from one of several holders.
    pub ambiguous_owner: u64,
    /// Of the pins taken before the start, those whose holder is known and that are still held.
    #[serde(default)]
    pub preexisting_attributed: u64,
    /// What looking at memory after a loss has added to what the ledger holds, or taken off.
    #[serde(default)]
    pub reconciled: i64,
    /// The same for the pins taken before the start, of which a release is told by its pin's not being known.
    #[serde(default)]
    pub preexisting_reconciled: i64,
    /// Pages set right so, one way or the other, since the start.
    #[serde(default)]
    pub reconciled_pages: u64,
    /// Events that were under way while the two were sampled: the difference is only known to within this.
    pub in_flight: u64,
}

/// What one look at all memory found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanSampled {
    /// Pages of memory.
    pub ram_pages: u64,
    /// Free pages that were stepped over.
    pub free_pages: u64,
    /// Time that reading the struct pages took, ns.
    pub read_ns: u64,
    /// Time that it took in all, ns.
    pub took_ns: u64,
    /// Pinned folios.
    pub folios: u64,
    /// Pins on them.
    pub pages: u64,
    /// Bytes that they keep in place.
    pub bytes: u64,
    /// Pins that nobody maps, and no descriptor explains.
    pub unmapped_pages: u64,
    /// Pages that look pinned and most likely are not.
    pub implausible: u64,
    /// Processes whose page tables could not be read.
    pub refused: u64,
    /// Pages of address space and descriptors that could not be read.
    pub unread: u64,
}

/// The kernel address of an `mm_struct`, as an identity only. 0 if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MmId(pub u64);

/// The kernel address of an `address_space` (the pages of a file), as an identity only. 0 if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AddressSpaceId(pub u64);

/// Where a range of addresses or offsets lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeIn {
    /// Addresses of an `mm_struct`.
    Mm(MmId),
    /// Offsets in a file.
    AddressSpace(AddressSpaceId),
}

impl Default for RangeIn {
    fn default() -> Self {
        Self::Mm(MmId(0))
    }
}

/// Why a stream ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// `signal`, `duration`, `command` or `quit`.
    pub reason: String,
    /// Exit code of the command run by `record -- COMMAND`.
    pub exit_code: Option<i32>,
}
