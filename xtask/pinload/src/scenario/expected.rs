//! The findings that a tracer must report. A scenario derives the findings from the frames of its pages, and not from
//! the known behaviour of the kernel.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::memory::PAGE;

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ExpectedKind {
    CowAfterPin,
    /// The copied page was referenced (FOLL_GET) and not pinned.
    GetNotPin,
    /// The copied page was referenced, and direct I/O was reading into the page.
    #[serde(rename = "get-not-pin")]
    ReadLost,
    ForkCopiedPinned,
    MappingTouched,
    /// The mapping was changed after the close of the file that holds the pins, and perhaps after their release.
    #[serde(rename = "mapping-touched")]
    MappingTouchedAfterClose,
    PinOutlivesMm,
    /// A process executed a new program and kept the file that holds the pins.
    #[serde(rename = "pin-outlives-mm")]
    PinKeptAcrossExec,
    UndeclaredLongterm,
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ExpectedSeverity {
    Note,
    Hazard,
}

/// The operation that triggers a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ExpectedTrigger {
    Write,
    Fork,
    Munmap,
    MmapOver,
    Mremap,
    Dontneed,
    GuardInstall,
    Free,
    Mprotect,
    UffdWp,
    SoftDirty,
    Truncate,
}

impl ExpectedKind {
    /// Returns the severity, if it is the same on each kernel.
    const fn severity(self, trigger: Option<ExpectedTrigger>) -> Option<ExpectedSeverity> {
        match (self, trigger) {
            // From 5.19 on, the kernel does not copy a pinned page at a write.
            (Self::CowAfterPin, _)
            | (Self::MappingTouched, Some(ExpectedTrigger::Mprotect | ExpectedTrigger::UffdWp)) => None,
            (
                Self::MappingTouched,
                Some(ExpectedTrigger::Mremap | ExpectedTrigger::Free | ExpectedTrigger::SoftDirty),
            )
            | (
                Self::GetNotPin
                | Self::ForkCopiedPinned
                | Self::MappingTouchedAfterClose
                | Self::PinKeptAcrossExec,
                _,
            ) => Some(ExpectedSeverity::Note),
            (Self::MappingTouched | Self::ReadLost | Self::PinOutlivesMm | Self::UndeclaredLongterm, _) => {
                Some(ExpectedSeverity::Hazard)
            }
        }
    }

    /// Returns true if it depends on timing whether there is anything to find.
    const fn is_optional(self) -> bool {
        matches!(self, Self::MappingTouchedAfterClose)
    }
}

/// All occurrences of one kind, trigger and process.
#[derive(Debug)]
struct Occurrence {
    kind: ExpectedKind,
    trigger: Option<ExpectedTrigger>,
    pid: i32,
    count: u64,
    /// Addresses; offsets in the file for [`ExpectedTrigger::Truncate`].
    pages: BTreeSet<usize>,
}

/// A finding as a line contains it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ExpectedFinding {
    kind: ExpectedKind,
    /// Copies, forks or system calls.
    count: u64,
    /// The process that holds or held the pins.
    pid: i32,
    /// The lowest page.
    address: String,
    /// Number of distinct 4 KiB pages.
    pages: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger: Option<ExpectedTrigger>,
    /// Absent if the severity differs between kernels.
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<ExpectedSeverity>,
    /// A tracer reports at most this, as not certain, or nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    optional: bool,
}

/// Flush windows in which a page changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ExpectedWindows {
    cause: &'static str,
    count: u64,
}

/// All findings to expect.
#[derive(Debug, Default)]
pub(super) struct ExpectedFindings {
    entries: Vec<Occurrence>,
    uffd_wp: u64,
}

impl ExpectedFindings {
    /// Notes that an operation affected these pages `times` times. Without pages there is no finding.
    pub(super) fn note(
        &mut self,
        kind: ExpectedKind,
        trigger: Option<ExpectedTrigger>,
        pid: i32,
        times: u64,
        pages: impl IntoIterator<Item = usize>,
    ) {
        let pages: BTreeSet<_> = pages.into_iter().collect();
        if pages.is_empty() {
            return;
        }
        let same = |entry: &&mut Occurrence| (entry.kind, entry.trigger, entry.pid) == (kind, trigger, pid);
        if let Some(entry) = self.entries.iter_mut().find(same) {
            entry.count += times;
            entry.pages.extend(pages);
        } else {
            self.entries.push(Occurrence {
                kind,
                trigger,
                pid,
                count: times,
                pages,
            });
        }
    }

    /// Notes `count` write-protects by userfaultfd, each of which changed at least one page.
    pub(super) const fn windows(&mut self, count: u64) {
        self.uffd_wp += count;
    }

    /// Returns the findings, for printing.
    pub(super) fn findings(&self) -> Vec<ExpectedFinding> {
        let finding = |entry: &Occurrence| ExpectedFinding {
            kind: entry.kind,
            count: entry.count,
            pid: entry.pid,
            address: format!("{:#x}", entry.pages.first().copied().unwrap_or(0)),
            pages: entry.pages.len() as u64,
            trigger: entry.trigger,
            severity: entry.kind.severity(entry.trigger),
            optional: entry.kind.is_optional(),
        };
        self.entries.iter().map(finding).collect()
    }

    /// Returns the flush windows, for printing; only windows of userfaultfd are counted.
    pub(super) fn all_windows(&self) -> Vec<ExpectedWindows> {
        let windows = ExpectedWindows {
            cause: "uffd_wp",
            count: self.uffd_wp,
        };
        (self.uffd_wp > 0).then_some(windows).into_iter().collect()
    }
}

/// Returns the number of copies that moved these pages, if the kernel copies `unit` bytes at once.
pub(super) fn copies(pages: &[usize], unit: usize) -> u64 {
    let pieces: BTreeSet<_> = pages.iter().map(|page| page * PAGE / unit).collect();
    pieces.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::HUGE;

    #[test]
    fn a_repeated_operation_adds_to_the_count_and_not_to_the_pages() {
        let mut expected = ExpectedFindings::default();
        for _ in 0..3 {
            expected.note(
                ExpectedKind::MappingTouched,
                Some(ExpectedTrigger::UffdWp),
                7,
                1,
                [0x2000, 0x1000],
            );
        }
        expected.note(
            ExpectedKind::MappingTouched,
            Some(ExpectedTrigger::Munmap),
            7,
            1,
            [0x2000],
        );
        let findings = expected.findings();
        assert_eq!(findings.len(), 2);
        assert_eq!((findings[0].count, findings[0].pages), (3, 2));
        assert_eq!(findings[0].address, "0x1000");
    }

    #[test]
    fn a_change_after_the_close_is_an_optional_note() {
        let mut expected = ExpectedFindings::default();
        for kind in [
            ExpectedKind::MappingTouched,
            ExpectedKind::MappingTouchedAfterClose,
        ] {
            expected.note(kind, Some(ExpectedTrigger::Munmap), 7, 1, [0x1000]);
        }
        let lines = serde_json::to_value(expected.findings()).unwrap();
        for line in [&lines[0], &lines[1]] {
            assert_eq!(line["kind"], "mapping-touched");
        }
        assert_eq!(lines[0]["severity"], "hazard");
        assert!(lines[0].get("optional").is_none());
        assert_eq!(
            (&lines[1]["severity"], &lines[1]["optional"]),
            (&"note".into(), &true.into())
        );
    }

    #[test]
    fn an_operation_without_pages_is_no_finding() {
        let mut expected = ExpectedFindings::default();
        expected.note(ExpectedKind::CowAfterPin, Some(ExpectedTrigger::Write), 7, 0, []);
        assert!(expected.findings().is_empty());
        assert!(expected.all_windows().is_empty());
    }

    #[test]
    fn a_huge_page_is_copied_at_once() {
        let pages: Vec<usize> = (500..520).collect();
        assert_eq!(copies(&pages, PAGE), 20);
        assert_eq!(copies(&pages, HUGE), 2);
    }
}
