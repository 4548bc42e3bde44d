//! Assessments of findings: severity, explanation and advice, one entry for each case of each kind.

use pintrace_events::MappingChange;

use super::finding::{FindingKind, Severity};

/// Severity, explanation and advice for one case of one kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Assessment {
    /// Kind of the finding.
    pub kind: FindingKind,
    /// Case of the kind; empty if the kind has only one.
    pub case: &'static str,
    /// Severity of the finding.
    pub severity: Severity,
    /// Meaning of the finding, in one sentence or two.
    pub explanation: &'static str,
    /// Remedy, in one sentence.
    pub advice: &'static str,
}

impl Assessment {
    /// The finding concerns pinned pages for certain; false if it may.
    pub(crate) fn is_certain(&self) -> bool {
        ![&UNCERTAIN, &MAY_OUTLIVE, &MAY_LACK_LONGTERM].contains(&self)
    }
}

/// Every assessment, by kind.
pub static ALL: &[&Assessment] = &[
    &COPIED,
    &COPIED_UNPROTECTED,
    &UNSHARED,
    &FORKED,
    &UNMAPPED,
    &DISCARDED_FILE,
    &TRUNCATED,
    &MOVED,
    &FREED,
    &PROTECTED_COPIES,
    &PROTECTED,
    &SOFT_DIRTY,
    &RELEASING,
    &UNCERTAIN,
    &OUTLIVES,
    &KEPT_ACROSS_EXEC,
    &MAY_OUTLIVE,
    &MISSING_LONGTERM,
    &MAY_LACK_LONGTERM,
    &NOT_EXCLUSIVE,
    &READ_LOST,
    &GET_NOT_PIN,
    &PIN_IN_WINDOW,
    &FAULT_IN_WINDOW,
    &COPY_IN_WINDOW,
];

/// Returns the assessment of a change to the mapping of pinned memory. `exclusive`: the kernel never copies an
/// exclusive page. `file`: the memory belongs to a file.
pub(crate) fn of_change(trigger: MappingChange, exclusive: bool, file: bool) -> &'static Assessment {
    // A write to a shared file page changes the page in place. A copy in a private mapping is a finding by itself.
    let kept = exclusive || file;
    match trigger {
        MappingChange::Dontneed if file => &DISCARDED_FILE,
        MappingChange::Munmap
        | MappingChange::MmapOver
        | MappingChange::Dontneed
        | MappingChange::GuardInstall
        | MappingChange::Brk
        | MappingChange::Unmap => &UNMAPPED,
        MappingChange::Truncate => &TRUNCATED,
        MappingChange::Mremap => &MOVED,
        MappingChange::Free => &FREED,
        MappingChange::Mprotect | MappingChange::UffdWp if kept => &PROTECTED,
        MappingChange::Mprotect | MappingChange::UffdWp => &PROTECTED_COPIES,
        MappingChange::SoftDirty if file => &PROTECTED,
        MappingChange::SoftDirty => &SOFT_DIRTY,
        MappingChange::Fork => &FORKED,
    }
}

/// Returns the assessment of copies of pinned pages. `kept`: the kernel should never copy such a page.
pub(crate) fn of_copy(kept: bool, unshare: bool) -> &'static Assessment {
    match (unshare, kept) {
        (true, _) => &UNSHARED,
        (false, true) => &COPIED,
        (false, false) => &COPIED_UNPROTECTED,
    }
}

static COPIED: Assessment = Assessment {
    kind: FindingKind::CowAfterPin,
    case: "anonymous memory, since 5.19",
    severity: Severity::Alarm,
    explanation: "A write copied a pinned page: the program continues with the copy, and the device keeps the old \
                  page. This kernel should never copy a pinned page.",
    advice: "Stop using that buffer, and report the copy with both stacks: the cause is a kernel bug, or a driver \
             that took the page without FOLL_PIN.",
};
static COPIED_UNPROTECTED: Assessment = Assessment {
    kind: FindingKind::CowAfterPin,
    case: "before 5.19, or a file's page",
    severity: Severity::Hazard,
    explanation: "A write copied a pinned page: the program continues with the copy, and the device keeps the old \
                  page.",
    advice: "Do not write-protect or fork while the buffer is pinned (MADV_DONTFORK), pin shared memory, or run 5.19 or \
             later.",
};
static UNSHARED: Assessment = Assessment {
    kind: FindingKind::CowAfterPin,
    case: "unshared for a reader",
    severity: Severity::Note,
    explanation: "Before a new pin, the kernel replaced a shared page by a copy for the pinning process; an earlier \
                  pin is still on the shared page.",
    advice: "Nothing, if the earlier pin is meant to stay on the shared page; else write to the buffer before pinning \
             it.",
};
static FORKED: Assessment = Assessment {
    kind: FindingKind::ForkCopiedPinned,
    case: "",
    severity: Severity::Note,
    explanation: "fork copied the pinned pages for the child at once: the parent keeps the page that the device uses, and \
                  the child has a copy.",
    advice: "If the child does not need the pinned buffers, avoid the copies with MADV_DONTFORK, vfork or posix_spawn.",
};
static UNMAPPED: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "munmap, mmap_over, dontneed, guard_install, brk, unmap",
    severity: Severity::Hazard,
    explanation: "Pages were unmapped while pinned: the device still uses the pages, and the address no longer maps \
                  them.",
    advice: "Release the pin first (unregister the buffer or memory region), then unmap; pin again after a new mmap.",
};
static DISCARDED_FILE: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "dontneed on a file's memory",
    severity: Severity::Note,
    explanation: "Pages of a shared file were unmapped while pinned: the next access maps the same pages again.",
    advice: "Nothing, unless the mapping is private: then release the pin first.",
};
static TRUNCATED: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "truncate",
    severity: Severity::Hazard,
    explanation: "The file was truncated, or a hole was punched, at pinned pages: the device keeps the old pages, and \
                  the file has new pages or none at that offset.",
    advice: "Release the pin before the file shrinks; F_SEAL_SHRINK on a memfd enforces this order.",
};
static MOVED: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "mremap",
    severity: Severity::Note,
    explanation: "The mapping was moved while pinned: device and program still share the pages, at a new address.",
    advice: "Use the new address only, or release the pin before moving.",
};
static FREED: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "free",
    severity: Severity::Note,
    explanation: "MADV_FREE was used on pinned pages: the kernel does not reclaim a page while it is pinned, and may \
                  drop the page after the release.",
    advice: "Release the pin before freeing the memory.",
};
static PROTECTED_COPIES: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "mprotect, uffd_wp, before 5.19",
    severity: Severity::Hazard,
    explanation: "Pinned pages were write-protected: this kernel copies the pages at the next write, and the device \
                  keeps the old pages.",
    advice: "Release the pin before write-protecting, pin shared memory, or run 5.19 or later.",
};
static PROTECTED: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "mprotect, uffd_wp, since 5.19; mprotect, uffd_wp, soft_dirty on a file's memory",
    severity: Severity::Note,
    explanation: "Pinned pages were write-protected: the next write does not copy the pages, and the device can write \
                  to the pages in spite of the protection.",
    advice: "Do not rely on write protection to detect or stop writes of the device.",
};
static SOFT_DIRTY: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "soft_dirty on anonymous memory",
    severity: Severity::Note,
    explanation: "clear_refs skips pinned pages: pinned pages stay writable, and writes to pinned pages are not \
                  tracked.",
    advice: "Treat pinned pages as always dirty, or release the pin before tracking.",
};
/// A change in an extent whose open file is gone.
pub(crate) static RELEASING: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "any, once the file that holds the pins is closed",
    severity: Severity::Note,
    explanation: "The mapping was changed after the last descriptor of the io_uring or AF_XDP socket was closed: the \
                  kernel releases the pins a moment later, in a worker.",
    advice: "Nothing: closing the file and then unmapping its buffers is the usual order.",
};
/// A change in an extent of which the pinned pages are not known.
pub(crate) static UNCERTAIN: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "any, once pages of the extent were released",
    severity: Severity::Note,
    explanation: "The mapping was changed in a range with released and with pinned pages: whether the change \
                  concerned pinned pages is not known.",
    advice: "Release all pages of a pin call before changing their mapping; pintrace scan --pages lists the pages \
             that are still pinned.",
};
/// Pins that stay after the exit of their mm.
pub(crate) static OUTLIVES: Assessment = Assessment {
    kind: FindingKind::PinOutlivesMm,
    case: "the process has ended",
    severity: Severity::Hazard,
    explanation: "The address space is gone and its pages are still pinned: the kernel frees the pages only when the \
                  holder releases the pins.",
    advice: "Find the holder of the pins (a descriptor that is open in another process, or a driver), and close it.",
};
/// Pins that a process keeps when it executes a new program.
pub(crate) static KEPT_ACROSS_EXEC: Assessment = Assessment {
    kind: FindingKind::PinOutlivesMm,
    case: "kept across execve",
    severity: Severity::Note,
    explanation: "The process executed a new program and kept the descriptor that holds the pins: the old address \
                  space is gone, and its pages stay pinned.",
    advice: "Open the descriptor with O_CLOEXEC if the new program does not use it.",
};
/// Pins that stay after the exit of their mm, by a ledger that may hold released pages.
pub(crate) static MAY_OUTLIVE: Assessment = Assessment {
    kind: FindingKind::PinOutlivesMm,
    case: "any, while releases may be missing",
    severity: Severity::Note,
    explanation: "The address space is gone and, by the ledger, its pages are still pinned. But releases were lost, so the \
                  pages may have been released.",
    advice: "If unaccounted is 0 again and no such finding is certain, nothing; pintrace scan lists the pages that are \
             still pinned.",
};
/// Short-term pins that are held too long.
pub(crate) static MISSING_LONGTERM: Assessment = Assessment {
    kind: FindingKind::UndeclaredLongterm,
    case: "no release is missing",
    severity: Severity::Hazard,
    explanation: "Pages are held for 10 seconds or more without FOLL_LONGTERM: in memory that must stay movable (CMA, \
                  hotplug), such pages block migration.",
    advice: "Find out whether the I/O hangs; a driver that holds the pages by design has to pin with FOLL_LONGTERM.",
};
/// Short-term pins that are held too long, by a ledger that may hold released pages.
pub(crate) static MAY_LACK_LONGTERM: Assessment = Assessment {
    kind: FindingKind::UndeclaredLongterm,
    case: "releases may be missing",
    severity: Severity::Note,
    explanation: "By the ledger, pages are held for 10 seconds or more without FOLL_LONGTERM. But releases were lost, so the \
                  pages may have been released.",
    advice: "If unaccounted is 0 again and no such finding is certain, nothing; pintrace scan lists the pages that are \
             still pinned.",
};
/// Pinned anonymous pages that are not exclusive.
pub(crate) static NOT_EXCLUSIVE: Assessment = Assessment {
    kind: FindingKind::PinnedNotExclusive,
    case: "",
    severity: Severity::Alarm,
    explanation: "At a pin or a release, an anonymous page was not marked as exclusive to one process: a later write \
                  may copy the page, and the device keeps the old page. This kernel should never pin such a page.",
    advice: "Report the finding with the stack and the kernel's release: the cause is a kernel bug. A kernel with \
             CONFIG_DEBUG_VM checks the same (sanity_check_pinned_pages).",
};
/// Copies of pages into which direct I/O reads by a `FOLL_GET` reference.
pub(crate) static READ_LOST: Assessment = Assessment {
    kind: FindingKind::GetNotPin,
    case: "direct I/O that reads into the memory",
    severity: Severity::Hazard,
    explanation: "A write copied a page while direct I/O was reading into the page, which this kernel takes without a \
                  pin (FOLL_GET): the program continues with the copy, and the data that arrives later is lost.",
    advice: "Do not fork, and do not write to the pages of the buffer, before the end of the read; or use a path that \
             pins (direct I/O since 6.5, io_uring's registered buffers).",
};
/// Copies of pages that have another `FOLL_GET` reference.
pub(crate) static GET_NOT_PIN: Assessment = Assessment {
    kind: FindingKind::GetNotPin,
    case: "other references",
    severity: Severity::Note,
    explanation: "A write copied a page that was taken without a pin (FOLL_GET) and, by its reference count, was \
                  still in use: the program continues with the copy, and the owner of the reference keeps the old \
                  page.",
    advice: "Do not write to the memory and do not fork before the end of the I/O or transfer; or use a path that \
             pins (direct I/O since 6.5, io_uring's registered buffers).",
};
/// Pins in flush windows.
pub(crate) static PIN_IN_WINDOW: Assessment = Assessment {
    kind: FindingKind::PinInFlushWindow,
    case: "",
    severity: Severity::Note,
    explanation: "Pages were pinned while their range was being write-protected and CPUs could still write through stale \
                  TLB entries: the state that the pin sees depends on timing.",
    advice: "Pin before write-protecting, or after the return of the call that write-protects.",
};
/// Faults in flush windows.
pub(crate) static FAULT_IN_WINDOW: Assessment = Assessment {
    kind: FindingKind::FaultInFlushWindow,
    case: "",
    severity: Severity::Note,
    explanation: "A thread faulted on a page before all CPUs had flushed the old TLB entry of the page; the kernel \
                  flushes before it handles the fault.",
    advice: "Nothing; shorten such windows by protecting fewer pages per call.",
};
/// Copies in flush windows.
pub(crate) static COPY_IN_WINDOW: Assessment = Assessment {
    kind: FindingKind::CowInFlushWindow,
    case: "",
    severity: Severity::Alarm,
    explanation: "A pinned page was copied while CPUs could still write to the old page through stale TLB entries: \
                  such writes may be lost.",
    advice: "Keep other threads from writing during the write protection, and report the copy with both stacks and \
             the kernel's release.",
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_assessments_with_distinct_cases() {
        for &kind in FindingKind::ALL {
            let cases: Vec<_> = ALL.iter().filter(|assessment| assessment.kind == kind).collect();
            let distinct: BTreeSet<_> = cases.iter().map(|assessment| assessment.case).collect();
            assert_eq!(cases.len(), distinct.len(), "{kind}");
            assert!(!cases.is_empty(), "{kind}");
            assert!(cases.len() == 1 || !distinct.contains(""), "{kind}");
        }
    }

    #[test]
    fn assessments_are_sentences() {
        for assessment in ALL {
            for text in [assessment.explanation, assessment.advice] {
                assert!(text.ends_with('.') && !text.contains("  "), "{text}");
            }
        }
    }
}
