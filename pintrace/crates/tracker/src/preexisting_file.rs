//! The open files that hold preexisting pins.

use pintrace_events::FileId;
use pintrace_events::units::Pid;
use pintrace_scan::open_files::Place;
use pintrace_scan::scan_result::PinHolder;

/// Most open files of a process that have an account each. The pins of further files are in one account, so that a process
/// with very many files cannot fill the tables.
pub(super) const MOST_FILES: u32 = 64;

/// The open file in whose table a scan found pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PreexistingFile {
    /// Identity of the file.
    pub(super) file: FileId,
    /// The descriptor of the file in the process, if it has one.
    pub(super) descriptor: Option<u32>,
}

impl PreexistingFile {
    /// Returns the open file of a holder that counts for a process; `None` without a file, and for pins that several files
    /// share.
    pub(super) fn of(pid: Pid, holder: &PinHolder) -> Option<Self> {
        let [file] = holder.files.as_slice() else {
            return None;
        };
        let own = holder.openers.iter().filter(|opener| opener.pid == pid.0);
        let descriptors = own.filter_map(|opener| match opener.place {
            Place::Descriptor(descriptor) => Some(descriptor),
            Place::Mapping(_) | Place::RegisteredRing(_) => None,
        });
        Some(Self {
            file: FileId(*file),
            descriptor: descriptors.min(),
        })
    }
}
