//! Pending-flush windows: the time from a write protection to the end of its TLB flush.

use serde::{Deserialize, Serialize};

use crate::units::{Nanos, Pid};

/// The reason for a write protection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// userfaultfd write-protected the range.
    UffdWp,
    /// mprotect(2) removed write permission.
    Mprotect,
    /// `clear_refs` write-protected the range to track dirty pages.
    SoftDirty,
    /// Automatic NUMA balancing samples which node uses the memory.
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

/// Totals of the pending-flush windows of one process and cause. All counts start at the first window. A window in
/// which no page was changed does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowsSampled {
    /// Process that owns the memory.
    pub pid: Pid,
    /// Command name of the thread that opened the first window.
    pub comm: String,
    /// The reason for the write protection.
    pub cause: Cause,
    /// Number of windows.
    pub windows: u64,
    /// Number of pages changed in the windows.
    pub pages: u64,
    /// Duration of the longest window, ns.
    pub longest_ns: u64,
    /// Histogram: entry n counts the windows of at least 2^(n-1) ns and less than 2^n ns.
    pub durations: Vec<u64>,
    /// Number of write faults of other threads in the range of an open window.
    pub faults: u64,
    /// Number of `faults` in which the kernel copied the page.
    pub copies: u64,
    /// Number of pages that other threads pinned in the range of an open window.
    pub pins: u64,
    /// Time at which the first window opened. A `first` later than the `last` of the previous sample means that another
    /// process has the pid now.
    pub first: Nanos,
    /// Time at which the latest window closed.
    pub last: Nanos,
    /// Address of the latest fault counted in `faults`. Without a fault: address of the latest pin counted in `pins`.
    /// Without both: 0.
    pub address: u64,
}

/// Write faults that the hooks' windows cover, compared with `mm->tlb_flush_pending` at the same moment. The kernel
/// decides by `mm->tlb_flush_pending` (`mm_tlb_flush_pending`, include/linux/mm_types.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushCheck {
    /// Faults that an open window of another thread covers while the kernel's counter says pending.
    pub agreed: u64,
    /// Faults that an open window covers while the kernel's counter says not pending: the window was about to close, or
    /// had just opened.
    pub covered_only: u64,
    /// Faults that no window covers while the kernel's counter says pending: another change in the mm awaits a flush.
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
