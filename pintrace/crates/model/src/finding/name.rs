//! The names of findings in text, `--json` output, metric labels and on the command line.

use pintrace_events::Cause;

use super::{FindingKind, Severity, TriggerKind};

impl FindingKind {
    /// Every kind of finding.
    pub const ALL: &'static [Self] = &[
        Self::CowAfterPin,
        Self::ForkCopiedPinned,
        Self::MappingTouched,
        Self::PinOutlivesMm,
        Self::UndeclaredLongterm,
        Self::PinnedNotExclusive,
        Self::GetNotPin,
        Self::PinInFlushWindow,
        Self::FaultInFlushWindow,
        Self::CowInFlushWindow,
    ];

    /// Returns the name of the kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CowAfterPin => "cow-after-pin",
            Self::ForkCopiedPinned => "fork-copied-pinned",
            Self::MappingTouched => "mapping-touched",
            Self::PinOutlivesMm => "pin-outlives-mm",
            Self::UndeclaredLongterm => "undeclared-longterm",
            Self::PinnedNotExclusive => "pinned-not-exclusive",
            Self::GetNotPin => "get-not-pin",
            Self::PinInFlushWindow => "pin-in-flush-window",
            Self::FaultInFlushWindow => "fault-in-flush-window",
            Self::CowInFlushWindow => "cow-in-flush-window",
        }
    }

    /// Returns the kind with a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }

    /// Returns one sentence that says when a finding of this kind is reported.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::CowAfterPin => {
                "A page that the process holds pinned was copied, and the process now maps the copy."
            }
            Self::ForkCopiedPinned => "fork copied pinned pages for the child at once.",
            Self::MappingTouched => "The mapping of pinned pages was changed.",
            Self::PinOutlivesMm => "Pages are still pinned one second after the exit of their address space.",
            Self::UndeclaredLongterm => "Pages are held for 10 seconds or more without FOLL_LONGTERM.",
            Self::PinnedNotExclusive => {
                "A pinned anonymous page is not marked as exclusive to one process (since 5.19)."
            }
            Self::GetNotPin => "A page with a reference that is no pin was copied (only with --foll-get).",
            Self::PinInFlushWindow => {
                "Pages were pinned in a range that was being write-protected, before the TLB flush."
            }
            Self::FaultInFlushWindow => {
                "Another thread had a write fault in a range that was being write-protected, before the TLB flush."
            }
            Self::CowInFlushWindow => {
                "A pinned page was copied in a range that was being write-protected, before the TLB flush."
            }
        }
    }
}

impl std::fmt::Display for FindingKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Severity {
    /// Every severity, worst first.
    pub const ALL: &'static [Self] = &[Self::Alarm, Self::Hazard, Self::Note];

    /// Returns the name of the severity.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Hazard => "hazard",
            Self::Alarm => "alarm",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl TriggerKind {
    /// Returns the name: the name of the mapping change, `write`, `unshare`, or `pending_` with the cause.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mapping(trigger) => trigger.as_str(),
            Self::Write => "write",
            Self::Unshare => "unshare",
            Self::Protected(Cause::UffdWp) => "pending_uffd_wp",
            Self::Protected(Cause::Mprotect) => "pending_mprotect",
            Self::Protected(Cause::SoftDirty) => "pending_soft_dirty",
            Self::Protected(Cause::NumaHinting) => "pending_numa_hinting",
            Self::Protected(Cause::Other) => "pending_other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for &kind in FindingKind::ALL {
            assert_eq!(FindingKind::parse(kind.as_str()), Some(kind));
            assert!(kind.help().ends_with('.'));
        }
        assert_eq!(FindingKind::parse("loss"), None);
    }
}
