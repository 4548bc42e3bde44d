//! The result of one scan.

use std::collections::BTreeMap;

use serde::Serialize;

use pintrace_events::ProcessSeen;

use super::join::{Amount, MappedRange, sum};
use super::kind::MemoryKind;
use super::pinned_folios::{FolioRun, ImplausiblePin};
use pintrace_kernel::descriptors::Descriptor;

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
    pub fn of_runs(runs: &[FolioRun]) -> Vec<Self> {
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

/// A process that holds pinned pages, according to page tables and descriptors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanHolder {
    /// Pid and names of the process.
    pub process: ProcessSeen,
    /// Pinned folios that the process maps.
    pub mapped: Amount,
    /// Folios in `mapped` that other processes map as well.
    pub shared: Amount,
    /// Folios in `mapped` that are counted for this process. Each folio counts for one process only, so that sums do
    /// not exceed the pinned memory.
    pub counted: Amount,
    /// Number of pages that no process maps and that the descriptors of this process explain.
    pub by_descriptor: u64,
    /// `mapped`, by kind and order.
    pub parts: Vec<KindAmount>,
    /// Addresses at which the folios are mapped.
    pub ranges: Vec<MappedRange>,
    /// Number of ranges that found no room in `ranges`.
    pub more_ranges: u64,
    /// Open descriptors that can hold pins.
    pub descriptors: Vec<Descriptor>,
}

impl ScanHolder {
    /// Returns the number of pinned pages that are counted for the process.
    pub fn pages(&self) -> u64 {
        self.counted.pages + self.by_descriptor
    }
}

/// Pinned pages that no process maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnmappedPins {
    /// Pinned folios that no process maps.
    pub unmapped: Amount,
    /// Number of pages in `unmapped` that the descriptors of processes explain.
    pub explained: u64,
    /// `unmapped`, by kind and order.
    pub parts: Vec<KindAmount>,
    /// Runs of the folios, by frame.
    pub runs: Vec<FolioRun>,
    /// Processes that hold no pinned page and have descriptors that can hold pins; empty if all pages are explained.
    pub candidates: Vec<(ProcessSeen, Vec<Descriptor>)>,
}

impl UnmappedPins {
    /// Returns the number of pages that no descriptor explains.
    pub fn pages(&self) -> u64 {
        self.unmapped.pages.saturating_sub(self.explained)
    }
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
}

/// The result of one scan.
#[derive(Clone, Debug, Default)]
pub struct ScanResult {
    /// Amount of memory read.
    pub memory: MemoryRead,
    /// All pinned folios.
    pub pinned: Amount,
    /// `pinned`, by kind and order.
    pub parts: Vec<KindAmount>,
    /// Processes that hold the pinned pages; most pages first.
    pub holders: Vec<ScanHolder>,
    /// Runs of folios, each with the pid of the process that the folios are counted for; pid 0 if there is no process.
    pub owned: Vec<(u32, FolioRun)>,
    /// Pinned pages that no process maps.
    pub unmapped_pins: UnmappedPins,
    /// First part of the folios that look pinned and most likely are not.
    pub implausible: Vec<ImplausiblePin>,
    /// Number of all folios that look pinned and most likely are not.
    pub implausible_count: u64,
    /// Page tables and descriptors that could not be read.
    pub unreadable: Unreadable,
    /// Number of processes whose page tables were read.
    pub processes_read: u64,
    /// Reason why the processes that ever pinned are unknown, so that the scan read all processes.
    pub all_processes: Option<String>,
}
