//! Text of a finding, the same in every view.

use crate::text::{printable, span};
use pintrace_events::{Cause, FlushCheck, MappingChange};
use pintrace_text::counted as counted_noun;

use super::{Finding, FindingKind, PinSide, Severity, TriggerKind, TriggerSide};

impl Finding {
    /// Returns the kind and the trigger: `mapping-touched by munmap`.
    #[must_use]
    pub fn title(&self) -> String {
        match self.trigger.as_ref().map(|trigger| trigger.what) {
            Some(TriggerKind::Mapping(MappingChange::Fork) | TriggerKind::Write) | None => {
                self.kind.to_string()
            }
            Some(TriggerKind::Protected(cause)) => format!("{} of {}", self.kind, cause.as_str()),
            Some(what) => format!("{} by {}", self.kind, what.as_str()),
        }
    }

    /// Returns the process of the finding: `fio (812)`.
    #[must_use]
    pub fn whose(&self) -> String {
        named(&self.comm, self.pid.0)
    }

    /// Returns true if the range of the finding consists of offsets in a file, and not of user addresses.
    #[must_use]
    pub fn is_in_file(&self) -> bool {
        let trigger = self.trigger.as_ref().map(|trigger| trigger.what);
        trigger == Some(TriggerKind::Mapping(MappingChange::Truncate))
    }

    /// Returns the number of pages, and their addresses or their offsets in the file.
    #[must_use]
    pub fn place(&self) -> String {
        let pages = pages(self.pages);
        match (self.kind, self.end) {
            (FindingKind::UndeclaredLongterm, _) => format!("{pages} or more"),
            (_, 0) => pages,
            // Only the latest page is known.
            (FindingKind::FaultInFlushWindow | FindingKind::PinInFlushWindow, _) if self.pages > 1 => {
                format!("{pages} or fewer, one of them at {:#x}", self.address)
            }
            _ if self.is_in_file() => {
                format!("{pages} at file offset {:#x}-{:#x}", self.address, self.end)
            }
            _ => format!("{pages} at {:#x}-{:#x}", self.address, self.end),
        }
    }

    /// Returns the number of times.
    #[must_use]
    pub fn times(&self) -> String {
        match self.count {
            1 => "once".to_owned(),
            count => format!("{count} times"),
        }
    }
}

/// Returns a sentence on dropped findings; `None` if `count` is 0.
#[must_use]
pub fn dropped(count: u64) -> Option<String> {
    (count > 0).then(|| format!("Findings dropped because the table of findings was full: {count}."))
}

/// Returns a sentence that compares the flush windows with the kernel's own count.
#[must_use]
pub fn checked(check: FlushCheck) -> String {
    format!(
        "Write faults in flush windows: {} with a flush pending by the kernel's own count, {} without; outside, {} \
         with a flush pending.",
        check.agreed, check.covered_only, check.pending_only
    )
}

/// Returns the number of findings of each severity: `1 alarm, 2 hazards`.
#[must_use]
pub fn counted(findings: &[Finding]) -> String {
    let parts = Severity::ALL.iter().filter_map(|severity| {
        let count = findings
            .iter()
            .filter(|found| found.severity == *severity)
            .count();
        match count {
            0 => None,
            count => Some(counted_noun(count as u64, severity.as_str())),
        }
    });
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() {
        "none".to_owned()
    } else {
        parts.join(", ")
    }
}

impl PinSide {
    /// Returns `Pinned` or `Referenced`.
    #[must_use]
    pub const fn held_how(&self) -> &'static str {
        if self.reference { "Referenced" } else { "Pinned" }
    }

    /// Returns the pages, the thread, the subsystem and the age of the pin.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { tid, subsystem, .. } = self;
        if self.reference {
            return format!(
                "a reference, by thread {} through {subsystem}, {} before",
                tid.0,
                span(self.age)
            );
        }
        let held = match (self.end, self.pages) {
            // The figures of the account are those of the sample that showed the finding.
            (0, 0) => "pages of which none is held any more".to_owned(),
            (0, held) => pages(held),
            (end, _) => format!("{} at {:#x}-{end:#x}", pages(self.pages), self.address),
        };
        let term = if self.longterm { "long-term" } else { "short-term" };
        format!(
            "{held}, {term}, by thread {} through {subsystem}, {} before",
            tid.0,
            span(self.age)
        )
    }
}

impl TriggerSide {
    /// Returns the operation and its process and thread.
    #[must_use]
    pub fn sentence(&self) -> String {
        let who = named(&self.comm, self.pid.0);
        match self.tid.0 {
            0 => format!("{}, {who}", self.what.phrase()),
            tid => format!("{}, by {who}, thread {tid}", self.what.phrase()),
        }
    }
}

impl TriggerKind {
    /// Returns the operation in words.
    const fn phrase(self) -> &'static str {
        match self {
            Self::Mapping(MappingChange::Munmap) => "unmapped by munmap",
            Self::Mapping(MappingChange::MmapOver) => "replaced by mmap",
            Self::Mapping(MappingChange::Mremap) => "moved by mremap",
            Self::Mapping(MappingChange::Brk) => "unmapped by brk",
            Self::Mapping(MappingChange::Unmap) => "unmapped",
            Self::Mapping(MappingChange::Dontneed) => "dropped by MADV_DONTNEED",
            Self::Mapping(MappingChange::GuardInstall) => "dropped by MADV_GUARD_INSTALL",
            Self::Mapping(MappingChange::Free) => "given up by MADV_FREE",
            Self::Mapping(MappingChange::Mprotect) | Self::Protected(Cause::Mprotect) => {
                "write-protected by mprotect"
            }
            Self::Mapping(MappingChange::UffdWp) | Self::Protected(Cause::UffdWp) => {
                "write-protected by userfaultfd"
            }
            Self::Mapping(MappingChange::SoftDirty) | Self::Protected(Cause::SoftDirty) => {
                "write-protected by clear_refs"
            }
            Self::Mapping(MappingChange::Truncate) => "truncated, or a hole punched",
            Self::Mapping(MappingChange::Fork) => "copied by fork",
            Self::Write => "copied at a write",
            Self::Unshare => "copied for a reader",
            Self::Protected(Cause::NumaHinting) => "write-protected by NUMA balancing",
            Self::Protected(Cause::Other) => "write-protected",
        }
    }
}

fn named(comm: &str, pid: u32) -> String {
    match (comm, pid) {
        ("", 0) => "unknown process".to_owned(),
        _ => format!("{} ({pid})", printable(comm)),
    }
}

fn pages(count: u64) -> String {
    counted_noun(count, "page")
}
