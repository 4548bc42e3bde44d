//! What happens to pinned memory besides being pinned and released: what findings are made of.

use serde::{Deserialize, Serialize};

use crate::units::{AccountId, Nanos, Pid, StackId, Tid};

use super::RangeIn;

/// What was done to a mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingChange {
    /// Unmapped by munmap(2).
    #[default]
    Munmap,
    /// Unmapped because another mapping took its place.
    MmapOver,
    /// Moved or shrunk by mremap(2).
    Mremap,
    /// Unmapped by brk(2).
    Brk,
    /// Unmapped by another system call, or by the kernel.
    Unmap,
    /// `MADV_DONTNEED`.
    Dontneed,
    /// `MADV_FREE`.
    Free,
    /// Write permission was taken away by mprotect(2).
    Mprotect,
    /// Write-protected by userfaultfd.
    UffdWp,
    /// Write-protected to see what gets dirty (`clear_refs`).
    SoftDirty,
    /// The file was truncated, or a hole punched into it.
    Truncate,
    /// fork(2) copied pages for the child at once, since the kernel took them for pinned.
    Fork,
}

/// A mapping was changed. Of the range, only what an open extent of the same space holds matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingChanged {
    /// Where the range lies: in a file for [`MappingChange::Truncate`].
    pub within: RangeIn,
    /// What was done.
    pub what: MappingChange,
    /// First byte changed.
    pub address: u64,
    /// After the last byte changed.
    pub end: u64,
    /// Pages changed, where the kernel counts them: write-protected, or copied by fork; else 0.
    pub pages: u64,
    /// Process that did it.
    pub pid: Pid,
    /// Its thread.
    pub tid: Tid,
    /// The thread's command name.
    pub comm: String,
    /// Kernel stack at that moment.
    pub stack: Option<StackId>,
    /// Records were lost just before: which pins were still there is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_loss: bool,
}

/// Copies of pinned pages by one holder's process. Counts since the first. The last of an account comes before its
/// [`crate::Body::AccountClosed`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CowSampled {
    /// Tells it from all others of the stream.
    pub id: u32,
    /// The account that holds the pins.
    pub account: AccountId,
    /// The extent that holds them, for long-term pins: its first address and the moment it was opened.
    pub extent: Option<(u64, Nanos)>,
    /// The copy was made for a reader that asked for a page of its own (`FAULT_FLAG_UNSHARE`), and not for a write.
    pub unshare: bool,
    /// The page copied was anonymous memory, and not a file's.
    pub anonymous: bool,
    /// Lowest address copied.
    pub address: u64,
    /// After the highest address copied.
    pub end: u64,
    /// Copies made.
    pub copies: u64,
    /// Pages copied.
    pub pages: u64,
    /// Of the copies, those made while another thread's flush of that address was pending.
    pub in_window: u64,
    /// Of the first one.
    pub first: Nanos,
    /// Of the latest.
    pub last: Nanos,
    /// Thread that made the first.
    pub tid: Tid,
    /// Its process.
    pub pid: Pid,
    /// Its command name.
    pub comm: String,
    /// Kernel stack of the first.
    pub stack: Option<StackId>,
    /// What was copied is not pinned: somebody has a reference to it (`FOLL_GET`), taken like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<FollGetReference>,
}

/// A reference that is no pin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollGetReference {
    /// When.
    pub taken: Nanos,
    /// Thread that took it.
    pub tid: Tid,
    /// Its process.
    pub pid: Pid,
    /// Kernel stack of that.
    pub stack: Option<StackId>,
}

/// Why a range was write-protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// userfaultfd.
    UffdWp,
    /// mprotect(2).
    Mprotect,
    /// `clear_refs`.
    SoftDirty,
    /// The kernel looks for the NUMA node that uses the memory.
    NumaHinting,
    /// Something else.
    #[default]
    Other,
}

/// Pending-flush windows of one process and cause: from the moment at which a range is write-protected to the end of
/// the flush. Counts since the first; only windows in which a page was changed count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowsSampled {
    /// Process whose memory it is.
    pub pid: Pid,
    /// Command name of the thread that protected first.
    pub comm: String,
    /// Why.
    pub cause: Cause,
    /// Windows.
    pub windows: u64,
    /// Pages changed in them.
    pub pages: u64,
    /// Of the longest, ns.
    pub longest_ns: u64,
    /// How many lasted less than 2^n ns and no less than half of that, by n.
    pub durations: Vec<u64>,
    /// Write faults of other threads in the range of an open window.
    pub faults: u64,
    /// Of these, those that copied the page.
    pub copies: u64,
    /// Pages pinned by other threads in the range of an open window.
    pub pins: u64,
    /// When the first opened. Later than what was `last` before: the pid is another process's now.
    pub first: Nanos,
    /// When the latest was closed.
    pub last: Nanos,
    /// Address of the latest of `faults`, or of `pins` if there is none; 0 if there is neither.
    pub address: u64,
}

/// Write faults that our windows cover, against `mm->tlb_flush_pending` at the same moment, by which the kernel decides
/// (`mm_tlb_flush_pending`, include/linux/mm_types.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushCheck {
    /// Covered by an open window of another thread, and pending by the kernel's count.
    pub agreed: u64,
    /// Covered, and not pending: the window was about to be closed, or had just been opened.
    pub covered_only: u64,
    /// Pending, and not covered: something else in the address space waits for a flush.
    pub pending_only: u64,
}

impl MappingChange {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Munmap => "munmap",
            Self::MmapOver => "mmap_over",
            Self::Mremap => "mremap",
            Self::Brk => "brk",
            Self::Unmap => "unmap",
            Self::Dontneed => "dontneed",
            Self::Free => "free",
            Self::Mprotect => "mprotect",
            Self::UffdWp => "uffd_wp",
            Self::SoftDirty => "soft_dirty",
            Self::Truncate => "truncate",
            Self::Fork => "fork",
        }
    }
}

impl Cause {
    /// Every cause.
    pub const ALL: &'static [Self] = &[
        Self::UffdWp,
        Self::Mprotect,
        Self::SoftDirty,
        Self::NumaHinting,
        Self::Other,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UffdWp => "uffd_wp",
            Self::Mprotect => "mprotect",
            Self::SoftDirty => "soft_dirty",
            Self::NumaHinting => "numa_hinting",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_match_serde() {
        for cause in Cause::ALL {
            let json = serde_json::to_string(cause).unwrap();
            assert_eq!(json, format!("\"{}\"", cause.as_str()));
        }
    }
}
