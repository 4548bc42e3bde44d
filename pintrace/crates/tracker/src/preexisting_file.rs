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

/// Returns, for each holder of a process, whether another holder of the process has pins on the same folios. The ledger
/// counts such pins for the process, and cannot tell later which of the files released them.
pub(super) fn share_folios(holders: &[PinHolder]) -> Vec<bool> {
    let mut runs: Vec<(u64, u64, usize)> = Vec::new();
    for (index, holder) in holders.iter().enumerate() {
        runs.extend(holder.runs.iter().map(|run| (run.pfn, run.end(), index)));
    }
    runs.sort_unstable();
    let mut shared = vec![false; holders.len()];
    // The run that reaches furthest. If two other runs overlapped at this point, both would overlap it too.
    let mut furthest: Option<(u64, usize)> = None;
    for (start, end, index) in runs {
        if let Some((reach, other)) = furthest
            && start < reach
            && other != index
        {
            shared[other] = true;
            shared[index] = true;
        }
        if furthest.is_none_or(|(reach, _)| end > reach) {
            furthest = Some((end, index));
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use pintrace_events::Evidence;
    use pintrace_scan::join::Amount;
    use pintrace_scan::kind::MemoryKind;
    use pintrace_scan::pinned_folios::FolioRun;

    use super::*;

    fn holder(runs: &[(u64, u64)]) -> PinHolder {
        let run = |&(pfn, folios): &(u64, u64)| FolioRun {
            pfn,
            folios,
            order: 0,
            kind: MemoryKind::Anon,
            pins: 1,
            exclusive: None,
            index: 0,
        };
        PinHolder {
            evidence: Evidence::KernelTable,
            subsystem: "io_uring",
            amount: Amount::default(),
            runs: runs.iter().map(run).collect(),
            files: vec![1],
            openers: Vec::new(),
            addresses: Vec::new(),
            private_copies: Vec::new(),
        }
    }

    #[test]
    fn holders_with_pins_on_the_same_folios_are_found() {
        let apart = holder(&[(0, 8), (100, 8)]);
        let one = holder(&[(8, 8), (200, 1)]);
        let other = holder(&[(15, 2)]);
        let inside = holder(&[(104, 1)]);
        assert_eq!(share_folios(&[apart.clone(), one.clone()]), [false, false]);
        assert_eq!(
            share_folios(&[apart.clone(), one.clone(), other]),
            [false, true, true]
        );
        assert_eq!(share_folios(&[apart, one, inside]), [true, false, true]);
        // A holder may have a folio twice.
        assert_eq!(share_folios(&[holder(&[(0, 4), (2, 4)])]), [false]);
    }

    #[test]
    fn a_run_inside_another_does_not_hide_a_third() {
        let long = holder(&[(0, 100)]);
        let short = holder(&[(10, 1)]);
        let late = holder(&[(50, 1)]);
        assert_eq!(share_folios(&[long, short, late]), [true, true, true]);
    }
}
