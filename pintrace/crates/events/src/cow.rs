//! Copies of pages that pins or `FOLL_GET` references hold.

use serde::{Deserialize, Serialize};

use crate::units::{AccountId, Nanos, Pid, StackId, Tid};

/// Totals of the copies that one process made of pages that one owner holds. All counts start at the first copy.
/// The last sample of an account precedes its [`crate::Body::AccountClosed`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CowSampled {
    /// Id of these totals, unique within the stream.
    pub id: u32,
    /// The account that holds the pins.
    pub account: AccountId,
    /// First address and opening time of the extent that holds the pins; `None` for short-term pins.
    pub extent: Option<(u64, Nanos)>,
    /// An unshare fault (`FAULT_FLAG_UNSHARE`) caused the copy; false if a write fault did.
    pub unshare: bool,
    /// The copied page was anonymous memory; false for a page of a file.
    pub anonymous: bool,
    /// Lowest address copied.
    pub address: u64,
    /// First byte after the highest address copied.
    pub end: u64,
    /// Number of copies made.
    pub copies: u64,
    /// Number of pages copied.
    pub pages: u64,
    /// Number of copies made while a TLB flush of the address by another thread was pending.
    pub in_window: u64,
    /// Time of the first copy.
    pub first: Nanos,
    /// Time of the latest copy.
    pub last: Nanos,
    /// Thread that made the first copy.
    pub tid: Tid,
    /// Process of that thread.
    pub pid: Pid,
    /// Command name of that thread.
    pub comm: String,
    /// Kernel stack of the first copy.
    pub stack: Option<StackId>,
    /// The copied page is not pinned: this `FOLL_GET` reference holds the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<FollGetReference>,
}

/// A reference that `FOLL_GET` took. Such a reference is no pin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollGetReference {
    /// Time at which the reference was taken.
    pub taken: Nanos,
    /// Thread that took the reference.
    pub tid: Tid,
    /// Process of that thread.
    pub pid: Pid,
    /// Kernel stack of the call that took the reference.
    pub stack: Option<StackId>,
    /// Direct I/O that writes to the page was under way at the copy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_under_way: bool,
}
