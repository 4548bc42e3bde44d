//! The kind of memory that a pinned page is part of.

use std::path::Path;

use pintrace_common::scan::{MAPPING_ANON, MAPPING_FILE, MAPPING_KSM, PinnedFolio};

/// A kind of memory, as `--json` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryKind {
    /// Anonymous memory.
    Anon,
    /// Pages of a file, or of shared memory.
    File,
    /// Hugetlb pages.
    Hugetlb,
    /// Pages merged by KSM.
    Ksm,
    /// Pages without a mapping: pages of a driver, or of a file that was truncated after the pin.
    Other,
}

impl MemoryKind {
    /// Returns the name in tables and `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::File => "file",
            Self::Hugetlb => "hugetlb",
            Self::Ksm => "ksm",
            Self::Other => "other",
        }
    }

    /// Returns the kind that the struct page shows. The struct page of a hugetlb page shows a file or anonymous memory.
    pub const fn of(found: &PinnedFolio) -> Self {
        match found.mapping {
            MAPPING_ANON => Self::Anon,
            MAPPING_FILE => Self::File,
            MAPPING_KSM => Self::Ksm,
            _ => Self::Other,
        }
    }
}

/// `KPF_HUGE` (include/uapi/linux/kernel-page-flags.h).
const KPF_HUGE: u64 = 1 << 17;

/// The flags of pages in /proc/kpageflags, which distinguish hugetlb pages from other large folios.
pub struct PageFlags {
    file: Option<std::fs::File>,
}

impl PageFlags {
    /// Opens /proc/kpageflags. If the file cannot be opened, no page counts as hugetlb.
    pub fn open(proc: &Path) -> Self {
        Self {
            file: std::fs::File::open(proc.join("kpageflags")).ok(),
        }
    }

    /// Returns the flags of a frame; `None` if they cannot be read.
    pub fn of(&self, pfn: u64) -> Option<u64> {
        use std::os::unix::fs::FileExt as _;
        let mut word = [0; 8];
        let file = self.file.as_ref()?;
        file.read_exact_at(&mut word, pfn.checked_mul(8)?).ok()?;
        Some(u64::from_ne_bytes(word))
    }

    /// Returns true if the frame is part of a hugetlb page.
    pub fn is_hugetlb(&self, pfn: u64) -> bool {
        self.of(pfn).is_some_and(|flags| flags & KPF_HUGE != 0)
    }
}
