//! What memory a pinned page is.

use std::path::Path;

use pintrace_common::scan::{MAPPING_ANON, MAPPING_FILE, MAPPING_KSM, PinnedFolio};

/// Kinds of memory, as `--json` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryKind {
    /// Anonymous memory.
    Anon,
    /// Pages of a file, also of shared memory.
    File,
    /// Hugetlb pages.
    Hugetlb,
    /// Merged by KSM.
    Ksm,
    /// Neither a file's nor anonymous: a driver's, or of a file that was cut short meanwhile.
    Other,
}

impl MemoryKind {
    /// The name in tables and `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::File => "file",
            Self::Hugetlb => "hugetlb",
            Self::Ksm => "ksm",
            Self::Other => "other",
        }
    }

    /// As the struct page shows it; hugetlb pages look like those of a file or like anonymous ones.
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

/// Tells hugetlb pages from other large folios, by /proc/kpageflags.
pub struct PageFlags {
    file: Option<std::fs::File>,
}

impl PageFlags {
    /// Where it cannot be read, nothing is hugetlb.
    pub fn open(proc: &Path) -> Self {
        Self {
            file: std::fs::File::open(proc.join("kpageflags")).ok(),
        }
    }

    /// Whether the frame is part of a hugetlb page.
    pub fn is_hugetlb(&self, pfn: u64) -> bool {
        use std::os::unix::fs::FileExt as _;
        let mut word = [0; 8];
        let Some(offset) = pfn.checked_mul(8) else {
            return false;
        };
        self.file
            .as_ref()
            .is_some_and(|file| file.read_exact_at(&mut word, offset).is_ok())
            && u64::from_ne_bytes(word) & KPF_HUGE != 0
    }
}
