//! Joins the pinned folios with the page tables of processes, by frame number.

use std::collections::BTreeMap;
use std::ops::Range;

use super::pinned_folios::{FolioRun, Folios};

#[cfg(test)]
mod tests;

/// An amount of pinned memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Amount {
    /// Number of folios.
    pub folios: u64,
    /// Number of pins on the folios, counted in pages as vmstat counts pins.
    pub pages: u64,
    /// Bytes that the pins keep in place: the size of the folios.
    pub bytes: u64,
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.folios += other.folios;
        self.pages += other.pages;
        self.bytes += other.bytes;
    }
}

impl std::ops::SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        self.folios = self.folios.saturating_sub(other.folios);
        self.pages = self.pages.saturating_sub(other.pages);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}

impl Amount {
    fn add(&mut self, folios: u64, run: &FolioRun) {
        self.folios += folios;
        self.pages += folios * u64::from(run.pins);
        self.bytes += folios << (u32::from(run.order) + 12);
    }

    /// Returns true if the amount has no folio.
    pub fn is_empty(&self) -> bool {
        self.folios == 0
    }
}

/// A range of user addresses whose pages are pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MappedRange {
    /// User address of the first page.
    pub address: u64,
    /// User address after the last page.
    pub end: u64,
    /// Frame of the first page.
    pub pfn: u64,
}

/// The pinned folios that one process maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappedFolios {
    /// Pid of the process.
    pub pid: u32,
    /// Folios that no other process maps.
    pub alone: Amount,
    /// Folios that other processes map as well.
    pub shared: Amount,
    /// Addresses at which the folios are mapped; at most `RANGES_KEPT` ranges.
    pub ranges: Vec<MappedRange>,
    /// Number of ranges that found no room in `ranges`.
    pub more_ranges: u64,
}

impl MappedFolios {
    fn add_page(&mut self, address: u64, pfn: u64) {
        let end = address + 4096;
        if let Some(last) = self.ranges.last_mut()
            && last.end == address
        {
            last.end = end;
        } else if self.ranges.len() < RANGES_KEPT {
            self.ranges.push(MappedRange { address, end, pfn });
        } else {
            self.more_ranges += 1;
        }
    }
}

/// Ranges kept for one process.
const RANGES_KEPT: usize = 64 << 10;

/// Mapper of a folio that no process maps.
const UNMAPPED: u32 = 0;
/// Flag of the mapper of a folio that several processes map. The other bits are an index in [`Join::lists`].
const LIST: u32 = 1 << 31;

/// A join in progress.
pub struct Join<'a> {
    folios: &'a Folios,
    /// By folio: [`UNMAPPED`], or the number of the process that maps the folio, or [`LIST`] and an index in `lists`.
    mappers: Vec<u32>,
    /// Numbers of the processes that map one folio, in the order of the walk.
    lists: Vec<Vec<u32>>,
    /// The processes in the order of the walk. The first process has number 1.
    processes: Vec<MappedFolios>,
    hint: usize,
}

impl<'a> Join<'a> {
    /// Creates a join without any process.
    pub fn new(folios: &'a Folios) -> Self {
        Self {
            folios,
            mappers: vec![UNMAPPED; usize::try_from(folios.len()).unwrap_or(0)],
            lists: Vec::new(),
            processes: Vec::new(),
            hint: 0,
        }
    }

    /// Begins the walk of a process. The pages that follow belong to this process.
    pub fn begin_process(&mut self, pid: u32) {
        self.processes.push(MappedFolios {
            pid,
            ..MappedFolios::default()
        });
    }

    /// Adds a page of the current process, in the order of addresses. Pages that are not pinned are ignored.
    pub fn add_page(&mut self, address: u64, pfn: u64) {
        let Some(index) = self.folios.find(pfn, self.hint) else {
            return;
        };
        self.hint = index;
        let run = &self.folios.runs()[index];
        let folio = run.index + ((pfn - run.pfn) >> run.order);
        let number = u32::try_from(self.processes.len()).unwrap_or(LIST - 1);
        let (Some(process), Some(mapper)) = (
            self.processes.last_mut(),
            usize::try_from(folio)
                .ok()
                .and_then(|folio| self.mappers.get_mut(folio)),
        ) else {
            return;
        };
        process.add_page(address, pfn);
        if *mapper == UNMAPPED {
            *mapper = number;
        } else if *mapper & LIST != 0 {
            let list = &mut self.lists[(*mapper & !LIST) as usize];
            if list.last() != Some(&number) {
                list.push(number);
            }
        } else if *mapper != number {
            let index = u32::try_from(self.lists.len()).unwrap_or(0);
            self.lists.push(vec![*mapper, number]);
            *mapper = LIST | index;
        }
    }

    /// Ends the walk: adds up the folios of each process, and divides the runs by process.
    pub fn finish(self) -> Joined {
        let mut joined = Joined {
            processes: self.processes,
            ..Joined::default()
        };
        for run in self.folios.runs() {
            let mut folio = run.index;
            let end = run.index + run.folios;
            while folio < end {
                let mappers =
                    &self.mappers[usize::try_from(folio).unwrap_or(0)..usize::try_from(end).unwrap_or(0)];
                let mapper = mappers[0];
                let same = mappers.iter().take_while(|other| **other == mapper).count() as u64;
                let part = FolioRun {
                    pfn: run.pfn + ((folio - run.index) << run.order),
                    folios: same,
                    ..*run
                };
                if mapper == UNMAPPED {
                    joined.unmapped.push(part);
                } else if mapper & LIST != 0 {
                    for number in &self.lists[(mapper & !LIST) as usize] {
                        if let Some(process) = joined.process(*number) {
                            process.shared.add(same, run);
                        }
                    }
                    joined.shared.push(part);
                } else if let Some(process) = joined.process(mapper) {
                    process.alone.add(same, run);
                    let pid = process.pid;
                    joined.owned.push((pid, part));
                }
                folio += same;
            }
        }
        joined
            .processes
            .retain(|process| !process.alone.is_empty() || !process.shared.is_empty());
        joined
    }
}

/// The outcome of a join.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Processes that map at least one pinned folio.
    pub processes: Vec<MappedFolios>,
    /// Runs of folios that one process alone maps, each with the pid of the process.
    pub owned: Vec<(u32, FolioRun)>,
    /// Runs of folios that several processes map.
    pub shared: Vec<FolioRun>,
    /// Runs of folios that no process maps.
    pub unmapped: Vec<FolioRun>,
}

impl Joined {
    /// Returns the addresses at which each process maps pinned folios, by pid.
    pub fn addresses(&self) -> BTreeMap<u32, Vec<Range<u64>>> {
        let of = |process: &MappedFolios| {
            let ranges = process.ranges.iter().map(|range| range.address..range.end);
            (process.pid, ranges.collect())
        };
        self.processes.iter().map(of).collect()
    }

    /// Returns the process with a number of the walk.
    fn process(&mut self, number: u32) -> Option<&mut MappedFolios> {
        self.processes.get_mut((number as usize).checked_sub(1)?)
    }
}

/// Returns the total amount of runs.
pub fn sum<'a>(runs: impl IntoIterator<Item = &'a FolioRun>) -> Amount {
    let mut amount = Amount::default();
    for run in runs {
        amount.add(run.folios, run);
    }
    amount
}
