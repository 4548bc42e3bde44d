//! Changes of mappings, and the identities of the objects that hold ranges.

use serde::{Deserialize, Serialize};

use crate::units::{Pid, StackId, Tid};

/// The kernel address of an `mm_struct`, as an identity only. 0 if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MmId(pub u64);

/// The kernel address of an `address_space` (the page cache of a file), as an identity only. 0 if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AddressSpaceId(pub u64);

/// The object that holds a range of addresses or offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeIn {
    /// User addresses of an `mm_struct`.
    Mm(MmId),
    /// Offsets in a file, in bytes.
    AddressSpace(AddressSpaceId),
}

impl Default for RangeIn {
    fn default() -> Self {
        Self::Mm(MmId(0))
    }
}

/// The kinds of changes to a mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingChange {
    /// munmap(2) unmapped the range.
    #[default]
    Munmap,
    /// mmap(2) replaced the mapping with another mapping.
    MmapOver,
    /// mremap(2) moved the pages to another address.
    Mremap,
    /// brk(2) unmapped the range.
    Brk,
    /// The kernel unmapped the range for another reason: another system call, or mremap(2) without a move of the pages.
    Unmap,
    /// `MADV_DONTNEED` dropped the pages.
    Dontneed,
    /// `MADV_FREE` marked the pages as droppable.
    Free,
    /// `MADV_GUARD_INSTALL` dropped the pages and made the range inaccessible.
    GuardInstall,
    /// mprotect(2) removed write permission.
    Mprotect,
    /// userfaultfd write-protected the range.
    UffdWp,
    /// `clear_refs` write-protected the range to track dirty pages.
    SoftDirty,
    /// The file was truncated, or a hole was punched into it.
    Truncate,
    /// fork(2) copied pages for the child at once, because the kernel took the pages for pinned.
    Fork,
}

impl MappingChange {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Munmap,
        Self::MmapOver,
        Self::Mremap,
        Self::Brk,
        Self::Unmap,
        Self::Dontneed,
        Self::Free,
        Self::GuardInstall,
        Self::Mprotect,
        Self::UffdWp,
        Self::SoftDirty,
        Self::Truncate,
        Self::Fork,
    ];

    /// The name in text and `--json` output.
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
            Self::GuardInstall => "guard_install",
            Self::Mprotect => "mprotect",
            Self::UffdWp => "uffd_wp",
            Self::SoftDirty => "soft_dirty",
            Self::Truncate => "truncate",
            Self::Fork => "fork",
        }
    }
}

/// A changed mapping. The model uses the part of the range that an open extent of the same mm or file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingChanged {
    /// The mm of the range, or the file for [`MappingChange::Truncate`].
    pub within: RangeIn,
    /// The kind of change.
    pub what: MappingChange,
    /// First byte changed.
    pub address: u64,
    /// First byte after the change.
    pub end: u64,
    /// Pages changed, where the kernel counts them (write-protected, or copied by fork); else 0.
    pub pages: u64,
    /// Process that changed the mapping.
    pub pid: Pid,
    /// Thread that changed the mapping.
    pub tid: Tid,
    /// The thread's command name.
    pub comm: String,
    /// Kernel stack of the change.
    pub stack: Option<StackId>,
    /// Records were lost just before the change, so the pins in the range at the change are uncertain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_loss: bool,
}

/// Changed total of the mapping changes near pinned memory that have no [`MappingChanged`], because a process made too
/// many in a short time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesSuppressed {
    /// Process that changed mappings.
    pub pid: Pid,
    /// Command name of its thread at the first such change.
    pub comm: String,
    /// Number of changes since the start.
    pub changes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_changes_match_serde() {
        for change in MappingChange::ALL {
            let json = serde_json::to_string(change).unwrap();
            assert_eq!(json, format!("\"{}\"", change.as_str()));
        }
    }
}
