//! The result of one scan.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use pintrace_events::{Evidence, ProcessSeen};

use super::exclusivity::Exclusivity;
use super::join::{Amount, MappedRange, sum};
use super::kind::MemoryKind;
use super::open_files::Opener;
use super::pinned_folios::{FolioRun, ImplausiblePin};
use super::private_copies::PrivateCopies;
use super::tables::FrameRun;
use pintrace_kernel::descriptors::Descriptor;
use pintrace_kernel::iomem::NotScanned;

/// The amount of memory that a scan read, in pages, and the time that the scan took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryRead {
    /// Number of pages of System RAM in /proc/iomem.
    pub ram_pages: u64,
    /// Number of struct pages read.
    pub read: u64,
    /// Number of pages in free blocks and large folios that the scan stepped over.
    pub stepped: u64,
    /// Number of free pages in blocks of 256 KiB and more.
    pub free: u64,
    /// Number of pages that have no struct page.
    pub absent: u64,
    /// Time spent on reading the struct pages, ns.
    pub read_ns: u64,
    /// Time of the whole scan, ns.
    pub took_ns: u64,
}

/// The pinned folios of one kind and order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KindAmount {
    /// Kind of memory.
    pub kind: MemoryKind,
    /// log2 of the number of pages of each folio.
    pub order: u8,
    /// Amount of memory.
    #[serde(flatten)]
    pub amount: Amount,
}

impl KindAmount {
    /// Adds up runs by kind and order.
    pub fn of_runs<'a>(runs: impl IntoIterator<Item = &'a FolioRun>) -> Vec<Self> {
        let mut parts: BTreeMap<(MemoryKind, u8), Vec<&FolioRun>> = BTreeMap::new();
        for run in runs {
            parts.entry((run.kind, run.order)).or_default().push(run);
        }
        let part = |((kind, order), runs): ((MemoryKind, u8), Vec<&FolioRun>)| Self {
            kind,
            order,
            amount: sum(runs),
        };
        parts.into_iter().map(part).collect()
    }
}

/// A holder of pins: an open file, or what a process maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinHolder {
    /// What shows that the pins belong to the holder.
    pub evidence: Evidence,
    /// Subsystem of the pins; empty if unknown.
    pub subsystem: &'static str,
    /// The pins of the holder. The folios may have more pins, of other holders.
    pub amount: Amount,
    /// The folios, each run with the pins of the holder.
    pub runs: Vec<FolioRun>,
    /// Addresses of the `struct file` of the open files that share the pins; empty without a file.
    pub files: Vec<u64>,
    /// All processes that have the file open; empty without a file.
    pub openers: Vec<Opener>,
    /// User addresses that were pinned, if known. The process may map other pages there now.
    pub addresses: Vec<Range<u64>>,
    /// Pinned anonymous pages in private mappings of files, by file.
    pub private_copies: Vec<PrivateCopies>,
}

/// A process with its holders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanProcess {
    /// Pid and names of the process.
    pub process: ProcessSeen,
    /// Holders that count for the process. A holder that several processes have open counts for one of them.
    pub holders: Vec<PinHolder>,
    /// Addresses at which the process maps pinned folios; read on request.
    pub ranges: Vec<MappedRange>,
    /// Number of ranges that found no room in `ranges`.
    pub more_ranges: u64,
}

impl ScanProcess {
    /// Returns the sum of all holders.
    pub fn amount(&self) -> Amount {
        let mut all = Amount::default();
        for holder in &self.holders {
            all += holder.amount;
        }
        all
    }

    /// Returns the folios of all holders by kind and order.
    pub fn parts(&self) -> Vec<KindAmount> {
        KindAmount::of_runs(self.holders.iter().flat_map(|holder| &holder.runs))
    }
}

/// Pins whose holder is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownPins {
    /// Pins on folios that no process maps.
    pub unmapped: Amount,
    /// Pins on folios that several processes map. Each of these processes has pinned some page before.
    pub shared: Amount,
    /// The folios, by frame.
    pub runs: Vec<FolioRun>,
    /// Processes that may be the holder.
    pub candidates: Vec<Candidate>,
}

impl UnknownPins {
    /// Returns all pins whose holder is unknown.
    pub fn amount(&self) -> Amount {
        let mut all = self.unmapped;
        all += self.shared;
        all
    }
}

/// A process that may hold pins whose holder is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Pid and names of the process.
    pub process: ProcessSeen,
    /// Number of pins on folios that this process and others map.
    pub shared_pages: u64,
    /// Open descriptors of kinds whose tables pintrace cannot read.
    pub descriptors: Vec<Descriptor>,
}

/// Page tables and descriptors that a scan could not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Number of processes that ended before their page tables were read.
    pub ended: u64,
    /// Number of processes whose page tables the kernel refused to show.
    pub refused: u64,
    /// Number of pages of address space beyond the limit that is read of one process.
    pub address_pages: u64,
    /// Number of descriptors that cannot be read.
    pub descriptors: u64,
    /// Number of open files whose table of pinned pages cannot be read.
    pub tables: u64,
}

impl std::ops::AddAssign for Unreadable {
    fn add_assign(&mut self, other: Self) {
        self.ended += other.ended;
        self.refused += other.refused;
        self.address_pages += other.address_pages;
        self.descriptors += other.descriptors;
        self.tables += other.tables;
    }
}

/// The result of one scan.
#[derive(Clone, Debug, Default)]
pub struct ScanResult {
    /// Amount of memory read.
    pub memory: MemoryRead,
    /// Memory that is not read: persistent memory and memory of devices.
    pub not_scanned: Vec<NotScanned>,
    /// All pinned folios.
    pub pinned: Amount,
    /// `pinned`, by kind and order.
    pub parts: Vec<KindAmount>,
    /// Processes that hold pinned pages; most pages first.
    pub processes: Vec<ScanProcess>,
    /// Pins whose holder is unknown.
    pub unknown: UnknownPins,
    /// Number of pins on folios for which the kernel's tables name more pins than the folios have, because the tables
    /// changed during the scan.
    pub contradicted: u64,
    /// First part of the folios that look pinned and most likely are not.
    pub implausible: Vec<ImplausiblePin>,
    /// Number of all folios that look pinned and most likely are not.
    pub implausible_count: u64,
    /// The audit of exclusive pages; `None` before 5.19.
    pub exclusivity: Option<Exclusivity>,
    /// Reason why the open files of a kind cannot be recognized.
    pub hidden_files: Option<&'static str>,
    /// Reason why some processes are not seen.
    pub hidden_processes: Option<&'static str>,
    /// Page tables and descriptors that could not be read.
    pub unreadable: Unreadable,
    /// Number of processes whose page tables were read.
    pub processes_read: u64,
    /// Reason why the processes that ever pinned are unknown, so that the scan read all processes.
    pub all_processes: Option<String>,
}

impl ScanResult {
    /// Returns how many frames of `frames` are part of folios with pins.
    pub fn pinned_frames(&self, frames: &[FrameRun]) -> u64 {
        let holders = self.processes.iter().flat_map(|process| &process.holders);
        let runs = holders.flat_map(|holder| &holder.runs).chain(&self.unknown.runs);
        let mut pinned: Vec<Range<u64>> = runs.map(|run| run.pfn..run.end()).collect();
        pinned.sort_unstable_by_key(|range| range.start);
        // Runs of several holders on one folio overlap.
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in pinned {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        let overlap = |frames: &FrameRun| -> u64 {
            let (first, end) = (frames.pfn, frames.pfn + frames.frames);
            let from = merged.partition_point(|range| range.end <= first);
            let near = merged[from..].iter().take_while(|range| range.start < end);
            near.map(|range| range.end.min(end) - range.start.max(first))
                .sum()
        };
        frames.iter().map(overlap).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_pinned_folios_are_counted_once_for_each_occurrence() {
        let run = |pfn, folios, order| FolioRun {
            pfn,
            folios,
            order,
            kind: MemoryKind::Anon,
            pins: 1,
            exclusive: None,
            index: 0,
        };
        let holder = |run| PinHolder {
            evidence: Evidence::KernelTable,
            subsystem: "",
            amount: Amount::default(),
            runs: vec![run],
            files: Vec::new(),
            private_copies: Vec::new(),
            openers: Vec::new(),
            addresses: Vec::new(),
        };
        let mut result = ScanResult::default();
        result.processes.push(ScanProcess {
            holders: vec![holder(run(8, 4, 0)), holder(run(8, 2, 0))],
            ..ScanProcess::default()
        });
        result.unknown.runs.push(run(512, 1, 9));
        let frames = |pfn, frames| FrameRun { pfn, frames };
        assert_eq!(result.pinned_frames(&[frames(6, 4), frames(8, 1)]), 3);
        assert_eq!(result.pinned_frames(&[frames(0, 8), frames(12, 100)]), 0);
        assert_eq!(result.pinned_frames(&[frames(1000, 100)]), 24);
        assert_eq!(result.pinned_frames(&[frames(0, 4096)]), 516);
    }
}
