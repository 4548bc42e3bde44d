//! Pending-flush windows: the time from a write protection to the end of its TLB flush.

use serde::{Deserialize, Serialize};

use crate::units::{Nanos, Pid};

/// The reason for a write protection.
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
    /// Any other reason.
    #[default]
    Other,
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

    /// The name in text, `--json` output and metric labels.
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

/// Totals of the pending-flush windows of one process and cause. A window lasts from the write protection of a range to
/// the end of the TLB flush. All counts start at the first window. Windows in which no page was changed do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowsSampled {
    /// Process that owns the memory.
    pub pid: Pid,
    /// Command name of the thread that opened the first window.
    pub comm: String,
    /// The reason for the write protection.
    pub cause: Cause,
    /// Windows.
    pub windows: u64,
    /// Pages changed in the windows.
    pub pages: u64,
    /// Duration of the longest window, ns.
    pub longest_ns: u64,
    /// Histogram: entry n counts the windows of at least 2^(n-1) ns and less than 2^n ns.
    pub durations: Vec<u64>,
    /// Write faults of other threads in the range of an open window.
    pub faults: u64,
    /// Those of `faults` that copied the page.
    pub copies: u64,
    /// Pages that other threads pinned in the range of an open window.
    pub pins: u64,
    /// Time at which the first window opened. If it is later than the previous sample's `last`, then another process
    /// has the pid now.
    pub first: Nanos,
    /// Time at which the latest window closed.
    pub last: Nanos,
    /// Address of the latest of `faults`, or of `pins` if there is no fault; 0 if there is neither.
    pub address: u64,
}

/// Write faults that the hooks' windows cover, against `mm->tlb_flush_pending` at the same moment. The kernel decides by
/// that counter (`mm_tlb_flush_pending`, include/linux/mm_types.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushCheck {
    /// An open window of another thread covers the fault, and the kernel's counter says pending.
    pub agreed: u64,
    /// A window covers the fault, and the kernel's counter says not pending: the window was about to close, or had
    /// just opened.
    pub covered_only: u64,
    /// The kernel's counter says pending, and no window covers the fault: another change in the mm waits for a flush.
    pub pending_only: u64,
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
