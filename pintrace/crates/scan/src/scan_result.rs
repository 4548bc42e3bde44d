//! What one look at the machine's memory shows.

use serde::Serialize;

use pintrace_events::ProcessSeen;

use super::join::{Amount, MappedRange};
use super::kind::MemoryKind;
use super::pinned_folios::{FolioRun, ImplausiblePin};
use pintrace_kernel::descriptors::Descriptor;

/// How much was read, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryRead {
    /// Pages in /proc/iomem's System RAM.
    pub ram_pages: u64,
    /// Struct pages read.
    pub read: u64,
    /// Pages of free blocks and large folios that were stepped over.
    pub stepped: u64,
    /// Free pages, as far as they lie in blocks of 256 KiB and more.
    pub free: u64,
    /// Pages that have no struct page.
    pub absent: u64,
    /// Time that reading them took, ns.
    pub read_ns: u64,
    /// Time that the whole look took, ns.
    pub took_ns: u64,
}

/// A part of an amount: folios of one kind and order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KindAmount {
    /// What they are.
    pub kind: MemoryKind,
    /// log2 of the pages of each.
    pub order: u8,
    /// How much.
    #[serde(flatten)]
    pub amount: Amount,
}

/// A process that holds pinned pages, as far as page tables and descriptors tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanHolder {
    /// Who it is.
    pub process: ProcessSeen,
    /// Pinned folios that it maps.
    pub mapped: Amount,
    /// Those of them that other processes map as well.
    pub shared: Amount,
    /// Each folio counted for one of its processes only: sums do not exceed what is pinned.
    pub counted: Amount,
    /// Pins that nobody maps and its descriptors explain.
    pub by_descriptor: u64,
    /// By kind and order.
    pub parts: Vec<KindAmount>,
    /// Where they are mapped.
    pub ranges: Vec<MappedRange>,
    /// Ranges beyond those.
    pub more_ranges: u64,
    /// Its open descriptors that can hold pins.
    pub descriptors: Vec<Descriptor>,
}

impl ScanHolder {
    /// Pins that are counted for it.
    pub fn pages(&self) -> u64 {
        self.counted.pages + self.by_descriptor
    }
}

/// Pinned pages that no process maps and no descriptor explains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnmappedPins {
    /// Pinned folios that nobody maps.
    pub unmapped: Amount,
    /// Pins of these that are given to processes for their descriptors.
    pub explained: u64,
    /// By kind and order.
    pub parts: Vec<KindAmount>,
    /// Where they are.
    pub runs: Vec<FolioRun>,
    /// Processes with descriptors that can hold pins, if something remains unexplained.
    pub candidates: Vec<(ProcessSeen, Vec<Descriptor>)>,
}

impl UnmappedPins {
    /// Pins that remain.
    pub fn pages(&self) -> u64 {
        self.unmapped.pages.saturating_sub(self.explained)
    }
}

/// What could not be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Processes that ended while they were looked at.
    pub ended: u64,
    /// Processes whose page tables cannot be read.
    pub refused: u64,
    /// Pages of address space beyond what is looked at.
    pub address_pages: u64,
    /// Descriptors that cannot be read.
    pub descriptors: u64,
}

/// One look.
#[derive(Clone, Debug, Default)]
pub struct ScanResult {
    /// What was read.
    pub memory: MemoryRead,
    /// All pinned folios.
    pub pinned: Amount,
    /// By kind and order.
    pub parts: Vec<KindAmount>,
    /// Whose they are; most pages first.
    pub holders: Vec<ScanHolder>,
    /// Stretches of folios, each with the process that it is counted for; 0 for nobody.
    pub owned: Vec<(u32, FolioRun)>,
    /// Nobody's.
    pub unmapped_pins: UnmappedPins,
    /// Folios that look pinned and most likely are not; the first of them.
    pub implausible: Vec<ImplausiblePin>,
    /// All of those.
    pub implausible_count: u64,
    /// What was not seen.
    pub unreadable: Unreadable,
    /// Processes whose page tables were read.
    pub processes_read: u64,
    /// Why all processes were read and not only those that ever pinned.
    pub all_processes: Option<String>,
}
