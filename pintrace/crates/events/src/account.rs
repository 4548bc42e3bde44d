//! Accounts: one thread that pins memory of one mm through one caller.

use serde::{Deserialize, Serialize};

use crate::FileId;
use crate::units::{AccountId, Nanos, Pid, StackId, Tid};

/// A new account: one thread, one mm, one caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountOpened {
    /// Id of the account.
    pub account: AccountId,
    /// Process that pins.
    pub pid: Pid,
    /// Thread that pins.
    pub tid: Tid,
    /// Command name of the thread when the account was opened.
    pub comm: String,
    /// Kernel address of the pinned `mm_struct`, as an identity; 0 for the mm of the pinning process.
    pub mm: u64,
    /// Return address in the caller of the pin function; 0 if unknown.
    pub caller: u64,
    /// The caller pins with `FOLL_LONGTERM`.
    pub longterm: bool,
    /// cgroup v2 id.
    pub cgroup: u64,
    /// Stack of the account's first pin.
    pub stack: Option<StackId>,
    /// A memory scan found the pins. The pinning thread, the time, the flags and the call are unknown. Only the
    /// difference of the account's totals counts: the pages held now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_scan: bool,
    /// The subsystem that the evidence of the scan names. Empty if the scan names none, or if a hook saw the pins.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub likely_subsystem: String,
    /// What showed the scan that the pins belong to the process; `None` if nothing did, or if a hook saw the pins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The open file whose table names the pages, if the scan found them in the table of one file; else 0.
    #[serde(default, skip_serializing_if = "FileId::is_none")]
    pub file: FileId,
    /// The descriptor of that file in the process at the time of the scan; `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<u32>,
}

/// What shows a scan that pins belong to a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The kernel's table of an open file names the pages, and the process has the file open.
    KernelTable,
    /// Of all processes that ever pinned, only this process maps the pages. No table that pintrace can read names them.
    PageTables,
}

impl Evidence {
    /// Returns the name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KernelTable => "kernel table",
            Self::PageTables => "page tables",
        }
    }
}

/// Running totals of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSampled {
    /// Id of the account.
    pub account: AccountId,
    /// Pages pinned since the account was opened.
    pub acquired: u64,
    /// Pages released since the account was opened.
    pub released: u64,
    /// Bytes that the account's pins keep in place now: whole folios.
    pub bytes_held: u64,
    /// Bytes of `bytes_held` in folios of 2 MiB and more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub huge_bytes_held: u64,
    /// Successful pin calls since the account was opened.
    pub calls: u64,
    /// Start of the current unbroken period in which the account has held pages; meaningless when it holds none.
    pub held_since: Nanos,
    /// Pins and releases of anonymous pages that are not exclusive to one process (`PageAnonExclusive`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_exclusive: u64,
    /// Stack of the account, if it arrived after [`AccountOpened`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackId>,
    /// Pages that a rule counted as released by other owners of the same folio, and that may have been released by this
    /// account, since the account last held no pages.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unclear_releases: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
