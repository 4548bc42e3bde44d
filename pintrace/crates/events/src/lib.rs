//! The event stream: all input of the model, in the order in which the model applies it.
//!
//! Events are inputs and never conclusions. A recording stores events, so that a later version of the model
//! gives better answers on old recordings. Counts are pages as the kernel counts pins, unless a field says bytes.

mod account;
pub mod balance;
mod cow;
mod extent;
mod finding_hooks;
mod flush_window;
mod mapping;
mod pin_calls;
mod process;
mod registrations;
mod scan;
mod shed;
mod stack;
mod stream_header;
pub mod units;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::units::{AccountId, Nanos, Pid};

pub use account::{AccountOpened, AccountSampled, Evidence};
pub use balance::BalanceSampled;
pub use cow::{CowSampled, FollGetReference};
pub use extent::{ExtentClosed, ExtentMarked, ExtentOpened, ExtentSampled, FileId};
pub use finding_hooks::FindingHooksAttached;
pub use flush_window::{Cause, FlushCheck, WindowsSampled};
pub use mapping::{AddressSpaceId, ChangesSuppressed, MappingChange, MappingChanged, MmId, RangeIn};
pub use pin_calls::{CallInFlight, CallsInFlight, PinCallsSampled, Registration};
pub use process::{ProcessExited, ProcessSeen};
pub use registrations::RegistrationFailed;
pub use scan::ScanSampled;
pub use shed::{Detail, DetailShed};
pub use stack::{StackSeen, SymbolSeen};
pub use stream_header::{MissingHook, Probe, Started, Stopped};

/// One entry of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The time at which the event happened or was sampled.
    pub time: Nanos,
    /// The event itself.
    pub body: Body,
}

/// The kinds of events. Large and rare events are boxed, so that the frequent ones stay small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// First event of every stream: all hooks are attached and counting has begun.
    Started(Box<Started>),
    /// pintrace saw a process for the first time.
    ProcessSeen(ProcessSeen),
    /// A process ended. Its pins may outlive it.
    ProcessExited(ProcessExited),
    /// A process executed a new program. Its descriptors stay, and its mm is new.
    ProcessExeced(Pid),
    /// The last reference to an open file is gone. Its subsystem releases the pins later, in a worker.
    FileReleased(FileId),
    /// A thread pinned memory through a caller for the first time.
    AccountOpened(AccountOpened),
    /// Changed totals of an account.
    AccountSampled(AccountSampled),
    /// The thread of an account has ended and the account holds nothing. Its last totals precede this event.
    AccountClosed(AccountId),
    /// Changed totals of the pin calls of an account.
    PinCallsSampled(Box<PinCallsSampled>),
    /// The long-term pin calls in flight, longest first. An empty list ends a list that was not empty.
    CallsInFlight(CallsInFlight),
    /// The kernel refused registrations of memory.
    RegistrationFailed(Box<RegistrationFailed>),
    /// A long-term pin call created an extent.
    ExtentOpened(ExtentOpened),
    /// Changed state of an open extent.
    ExtentSampled(ExtentSampled),
    /// Less is known about an open extent, for example because some of its pages were released.
    ExtentMarked(ExtentMarked),
    /// The last page of an extent was released.
    ExtentClosed(ExtentClosed),
    /// A kernel stack as addresses, innermost frame first.
    StackSeen(StackSeen),
    /// The symbol of a kernel address.
    SymbolSeen(SymbolSeen),
    /// The kernel's vmstat counters and the ledger's totals, sampled together.
    BalanceSampled(Box<BalanceSampled>),
    /// Loss counters since the start, by [`pintrace_common::counters::Loss`] name. Zeroes may be absent.
    LossSampled(BTreeMap<String, u64>),
    /// The totals of one memory scan.
    ScanSampled(ScanSampled),
    /// A mapping was changed in or near a range that long-term pins hold.
    MappingChanged(MappingChanged),
    /// An mm exited. Its pins may outlive it. The kernel may give its address to another mm.
    MmExited(MmId),
    /// A file's `address_space` was freed. The kernel may give its address to the `address_space` of another file.
    AddressSpaceFreed(AddressSpaceId),
    /// Changed totals of copies made of pinned pages.
    CowSampled(Box<CowSampled>),
    /// Changed totals of the pending-flush windows of one process and cause.
    WindowsSampled(Box<WindowsSampled>),
    /// Changed total of the mapping changes of one process that have no event.
    ChangesSuppressed(ChangesSuppressed),
    /// Write faults inside windows since the start: the hooks' count against the kernel's own count.
    FlushCheckSampled(FlushCheck),
    /// Finding hooks that had waited for pins are attached.
    FindingHooksAttached(FindingHooksAttached),
    /// The session took more than its budget, and gives up a detail.
    DetailShed(DetailShed),
    /// All samples of one moment precede this event, so views may draw.
    Tick,
    /// Last event of a stream that ended in order.
    Stopped(Stopped),
}
