//! The open files that hold preexisting pins.

use pintrace_common::limits;
use pintrace_events::FileId;
use pintrace_events::units::Pid;
use pintrace_scan::open_files::Place;
use pintrace_scan::scan_result::{PinHolder, ScanProcess};

/// Most open files of a process that have an account each. The pins of further files are in one account, so that a process
/// with very many files cannot fill the tables.
pub(super) const MOST_FILES: u32 = 64;
/// The same for all processes: an eighth of the account table.
const MOST_FILES_IN_ALL: u32 = limits::ACCOUNTS / 8;

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

/// Gives the open files of processes numbers, up to the limits.
#[derive(Debug, Default)]
pub(super) struct FileNumbers {
    all: u32,
}

impl FileNumbers {
    /// Returns the open file of each holder of a process, with a number that tells the files of the process apart, from 1
    /// on.
    pub(super) fn of_process(&mut self, process: &ScanProcess) -> Vec<Option<(u32, PreexistingFile)>> {
        let mut number = 0;
        let files = process.holders.iter().map(|holder| {
            let file = PreexistingFile::of(process.process.pid, holder)?;
            if number >= MOST_FILES || self.all >= MOST_FILES_IN_ALL {
                return None;
            }
            number += 1;
            self.all += 1;
            Some((number, file))
        });
        files.collect()
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
    fn files_have_numbers_up_to_the_limits() {
        let process = ScanProcess {
            holders: vec![holder(&[]); MOST_FILES as usize + 1],
            ..ScanProcess::default()
        };
        let mut numbers = FileNumbers::default();
        let first = numbers.of_process(&process);
        assert_eq!(first[0].unwrap().0, 1);
        assert_eq!(first[63].unwrap().0, MOST_FILES);
        assert!(first[64].is_none());
        let with_file = |files: Vec<Option<_>>| files.into_iter().flatten().count();
        let rest: usize = (0..100).map(|_| with_file(numbers.of_process(&process))).sum();
        assert_eq!(with_file(first) + rest, MOST_FILES_IN_ALL as usize);
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
