//! The kinds, backings, release methods and range changes, with their names on the command line and in the JSON lines.

use clap::ValueEnum;
use serde::Serialize;

/// The way in which memory is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PinKind {
    IoUring,
    AfXdp,
    ProcessVm,
    DirectRead,
    DirectWrite,
    Udmabuf,
    Vfio,
    Rdma,
    Vmsplice,
    Zerocopy,
}

/// The kind of pages of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Backing {
    /// 4 KiB pages (MADV_NOHUGEPAGE)
    Small,
    /// Transparent huge pages (MADV_HUGEPAGE), verified
    Thp,
    /// 2 MiB pages of hugetlb
    Hugetlb,
}

/// How the pins are released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReleaseMethod {
    /// By the call that undoes the pin
    Explicit,
    /// By closing the descriptor
    Close,
    /// By the end of the process
    Exit,
    /// By SIGKILL
    Kill,
}

/// A change to a range while it is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RangeChange {
    /// munmap(2)
    Munmap,
    /// madvise(MADV_DONTNEED)
    MadviseDontneed,
    /// mprotect(2) to read-only and back, then a write to each page
    Mprotect,
    /// fork(2), then a write to each page by the parent
    ForkWrite,
    /// mremap(2) to another address
    Mremap,
}
