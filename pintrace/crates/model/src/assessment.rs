//! How bad each thing is that can be found, what it means and what to do: the one table.

use pintrace_events::MappingChange;

use super::finding::{FindingKind, Severity};

/// What is said of a finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Assessment {
    /// Of what kind.
    pub kind: FindingKind,
    /// In which case, where the kind has several.
    pub case: &'static str,
    /// How bad.
    pub severity: Severity,
    /// What it means, in a sentence.
    pub explanation: &'static str,
    /// What to do, in another.
    pub advice: &'static str,
}

/// Every verdict, by kind.
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
    &UNCERTAIN,
    &OUTLIVES,
    &MISSING_LONGTERM,
    &GET_NOT_PIN,
    &PIN_IN_WINDOW,
    &FAULT_IN_WINDOW,
    &COPY_IN_WINDOW,
];

/// Of a change to the mapping of pinned memory. `exclusive`: the kernel keeps exclusive pages from being copied.
/// `file`: the memory is a file's.
pub(crate) fn of_change(trigger: MappingChange, exclusive: bool, file: bool) -> &'static Assessment {
    // A shared file's pages are written in place. Of a private mapping the copy itself is found, if one is made.
    let kept = exclusive || file;
    match trigger {
        MappingChange::Dontneed if file => &DISCARDED_FILE,
        MappingChange::Munmap
        | MappingChange::MmapOver
        | MappingChange::Dontneed
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

/// Of copies of pinned pages. `kept`: the kernel keeps such a page from being copied.
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
    explanation: "A write copied a pinned page: the program goes on with the copy, and the device keeps the old page. \
                  This kernel should never copy one.",
    advice: "Stop relying on that buffer, and report it with both stacks: it is a kernel bug, or a driver that took the \
             page without FOLL_PIN.",
};
static COPIED_UNPROTECTED: Assessment = Assessment {
    kind: FindingKind::CowAfterPin,
    case: "before 5.19, or a file's page",
    severity: Severity::Hazard,
    explanation: "A write copied a pinned page: the program goes on with the copy, and the device keeps the old page.",
    advice: "Do not write-protect or fork while the buffer is pinned (MADV_DONTFORK), pin shared memory, or run 5.19 or \
             later.",
};
static UNSHARED: Assessment = Assessment {
    kind: FindingKind::CowAfterPin,
    case: "unshared for a reader",
    severity: Severity::Note,
    explanation: "The kernel gave a process that was about to pin a page of its own, in place of one that somebody had \
                  pinned already.",
    advice: "Nothing, if the earlier pin is meant to keep the shared page; else write to the buffer before pinning it.",
};
static FORKED: Assessment = Assessment {
    kind: FindingKind::ForkCopiedPinned,
    case: "",
    severity: Severity::Note,
    explanation: "fork copied the pinned pages for the child at once: the parent keeps the page that the device uses, and \
                  the child has a copy.",
    advice: "Use MADV_DONTFORK on pinned buffers, vfork or posix_spawn, if the child does not need them: it saves the \
             copies.",
};
static UNMAPPED: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "munmap, mmap_over, dontneed, brk, unmap",
    severity: Severity::Hazard,
    explanation: "The pages were unmapped while pinned: the device goes on using them, and the address no longer leads \
                  to them.",
    advice: "Release the pin first (unregister the buffer or memory region), then unmap; pin again after mapping anew.",
};
static DISCARDED_FILE: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "dontneed on a file's memory",
    severity: Severity::Note,
    explanation: "The pages were unmapped while pinned; they are a shared file's, so the next access maps the same ones \
                  again.",
    advice: "Nothing, unless the mapping is private: then release the pin first.",
};
static TRUNCATED: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "truncate",
    severity: Severity::Hazard,
    explanation: "The file was truncated or punched under pinned pages: the device keeps them, and the file has others, \
                  or none, in their place.",
    advice: "Release the pin before the file shrinks; seal a memfd with F_SEAL_SHRINK to make sure.",
};
static MOVED: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "mremap",
    severity: Severity::Note,
    explanation: "The mapping was moved while pinned: device and program still share the pages, at another address.",
    advice: "Use the new address only, or release the pin before moving.",
};
static FREED: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "free",
    severity: Severity::Note,
    explanation: "MADV_FREE on pinned pages: the kernel does not reclaim them while they are pinned, and may drop them \
                  after that.",
    advice: "Release the pin before freeing the memory.",
};
static PROTECTED_COPIES: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "mprotect, uffd_wp, before 5.19",
    severity: Severity::Hazard,
    explanation: "Pinned pages were write-protected: this kernel copies them at the next write, and the device keeps the \
                  old ones.",
    advice: "Release the pin before write-protecting, pin shared memory, or run 5.19 or later.",
};
static PROTECTED: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "mprotect, uffd_wp, since 5.19; these and soft_dirty on a file's memory",
    severity: Severity::Note,
    explanation: "Pinned pages were write-protected: the next write does not copy them, but the device writes to them \
                  all the same.",
    advice: "Do not count on write protection to see or stop what the device writes.",
};
static SOFT_DIRTY: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "soft_dirty on anonymous memory",
    severity: Severity::Note,
    explanation: "clear_refs skips pinned pages: they stay writable, and what is written to them is not tracked.",
    advice: "Take pinned pages for always dirty, or release the pin before tracking.",
};
/// Changes near what is pinned.
pub(crate) static UNCERTAIN: Assessment = Assessment {
    kind: FindingKind::MappingTouched,
    case: "any, once pages of the extent were released",
    severity: Severity::Note,
    explanation: "The mapping was changed in a range of which some pages had been released and some were pinned still: \
                  whether it hit these is not known.",
    advice: "Release all that was pinned at once before its mapping is changed, or look which pages are left with \
             pintrace scan --pages.",
};
/// Pins that are still there after their address space.
pub(crate) static OUTLIVES: Assessment = Assessment {
    kind: FindingKind::PinOutlivesMm,
    case: "",
    severity: Severity::Hazard,
    explanation: "The address space is gone and its pages are still pinned: they are not freed until the holder lets go.",
    advice: "Find what keeps the holder alive (a descriptor that another process has open, or a driver), and close it.",
};
/// Short-term pins that are held for long.
pub(crate) static MISSING_LONGTERM: Assessment = Assessment {
    kind: FindingKind::UndeclaredLongterm,
    case: "",
    severity: Severity::Hazard,
    explanation: "Pages are held for long without FOLL_LONGTERM: they may lie where memory must stay movable (CMA, hotplug), \
                  and block it.",
    advice: "Find out whether the I/O hangs; if the driver holds them by design, it has to pin with FOLL_LONGTERM.",
};
/// References that are no pins, to pages that were copied.
pub(crate) static GET_NOT_PIN: Assessment = Assessment {
    kind: FindingKind::GetNotPin,
    case: "",
    severity: Severity::Note,
    explanation: "A write copied a page that had been taken without a pin (FOLL_GET), and by its count somebody still had it: \
                  the program goes on with the copy, and whoever has the reference keeps the old page.",
    advice: "Do not write to the memory, nor fork, before the I/O or transfer is over; or use a path that pins \
             (direct I/O since 6.5, io_uring's registered buffers).",
};
/// Pins in windows.
pub(crate) static PIN_IN_WINDOW: Assessment = Assessment {
    kind: FindingKind::PinInFlushWindow,
    case: "",
    severity: Severity::Note,
    explanation: "Pages were pinned while their range was being write-protected and CPUs could still write through stale \
                  TLB entries: what the pin sees then is not settled.",
    advice: "Pin before write-protecting, or after the call that protects has returned.",
};
/// Faults in windows.
pub(crate) static FAULT_IN_WINDOW: Assessment = Assessment {
    kind: FindingKind::FaultInFlushWindow,
    case: "",
    severity: Severity::Note,
    explanation: "A thread faulted on a page whose write protection other CPUs had not seen yet; the kernel flushes before \
                  it goes on.",
    advice: "Nothing; protect fewer pages at a call to make such windows shorter.",
};
/// Copies in windows.
pub(crate) static COPY_IN_WINDOW: Assessment = Assessment {
    kind: FindingKind::CowInFlushWindow,
    case: "",
    severity: Severity::Alarm,
    explanation: "A pinned page was copied while CPUs could still write to the old one through stale TLB entries: such \
                  writes may be lost.",
    advice: "Keep other threads from writing while the range is protected, and report it with both stacks and the \
             kernel's release.",
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_an_assessment_and_several_say_when_which() {
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
