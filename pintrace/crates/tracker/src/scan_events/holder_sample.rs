//! The pins of one process, as a scan found them.

use pintrace_events::units::Pid;
use pintrace_events::{Evidence, FileId, ProcessSeen};
use pintrace_scan::scan_result::PinHolder;

use super::super::preexisting_file::PreexistingFile;

/// The pins of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HolderSample {
    /// The process that holds the pins.
    pub process: ProcessSeen,
    /// The subsystem that the evidence names; empty if unknown.
    pub likely_subsystem: &'static str,
    /// What shows that the pins belong to the process; `None` if nothing does.
    pub evidence: Option<Evidence>,
    /// Number of pinned pages.
    pub pages: u64,
    /// Bytes that the pins keep in place.
    pub bytes: u64,
    /// The open file whose table names the pages; 0 if there is none, or if there are several.
    pub file: FileId,
    /// The descriptor of the file in the process, if it has one.
    pub descriptor: Option<u32>,
}

/// Identity of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HolderKey {
    pub(super) pid: Pid,
    pub(super) subsystem: &'static str,
    pub(super) evidence: Option<Evidence>,
    pub(super) file: FileId,
    pub(super) descriptor: Option<u32>,
}

impl HolderSample {
    /// Returns the pins of a holder that a scan found.
    pub(super) fn of(process: &ProcessSeen, holder: &PinHolder, file: PreexistingFile) -> Self {
        Self {
            process: process.clone(),
            likely_subsystem: holder.subsystem,
            evidence: Some(holder.evidence),
            pages: holder.amount.pages,
            bytes: holder.amount.bytes,
            file: file.file,
            descriptor: file.descriptor,
        }
    }

    pub(super) fn key(&self) -> HolderKey {
        HolderKey {
            pid: self.process.pid,
            subsystem: self.likely_subsystem,
            evidence: self.evidence,
            file: self.file,
            descriptor: self.descriptor,
        }
    }
}

/// The command name for pins whose holder is unknown.
pub const NOBODY: &str = "(nobody)";

/// Returns the process for pins whose holder is unknown.
pub fn nobody() -> ProcessSeen {
    ProcessSeen {
        comm: NOBODY.to_owned(),
        ..ProcessSeen::default()
    }
}
