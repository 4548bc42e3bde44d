//! Pinned folios and the page tables of processes, joined by frame number.

use std::collections::BTreeMap;

use super::kind::MemoryKind;
use super::pinned_folios::{FolioRun, Folios};

/// An amount of pinned memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Amount {
    /// Folios.
    pub folios: u64,
    /// Pins on them: pages as the kernel's vmstat counters count.
    pub pages: u64,
    /// Bytes that they keep in place.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, folios: u64, run: &FolioRun) {
        self.folios += folios;
        self.pages += folios * u64::from(run.pins);
        self.bytes += folios << (u32::from(run.order) + 12);
    }

    /// Nothing.
    pub fn is_empty(&self) -> bool {
        self.folios == 0
    }
}

/// Neighbouring pinned pages of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MappedRange {
    /// User address of the first page.
    pub address: u64,
    /// User address after the last.
    pub end: u64,
    /// Frame of the first page.
    pub pfn: u64,
}

/// What one process maps of the pinned folios.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappedFolios {
    /// The process.
    pub pid: u32,
    /// All of them.
    pub all: Amount,
    /// Those that other processes map as well.
    pub shared: Amount,
    /// Each folio counted for one process only: of those that map it, the one that was walked first.
    pub counted: Amount,
    /// By kind and order.
    pub parts: BTreeMap<(MemoryKind, u8), Amount>,
    /// Where they are mapped.
    pub mapped: Vec<MappedRange>,
    /// Ranges that were left out of `mapped`.
    pub more_mapped: u64,
}

impl MappedFolios {
    fn map(&mut self, address: u64, pfn: u64) {
        let end = address + 4096;
        if let Some(last) = self.mapped.last_mut()
            && last.end == address
        {
            last.end = end;
        } else if self.mapped.len() < RANGES_KEPT {
            self.mapped.push(MappedRange { address, end, pfn });
        } else {
            self.more_mapped += 1;
        }
    }
}

/// Ranges kept for one process.
const RANGES_KEPT: usize = 64 << 10;

/// Nobody maps the folio.
const NOBODY: u32 = 0;
/// Several do: the rest is a place in the list.
const SEVERAL: u32 = 1 << 31;

/// A join under way.
pub struct Join<'a> {
    folios: &'a Folios,
    /// By folio: 0, or the number of the process that maps it, or a place in `several`.
    owners: Vec<u32>,
    several: Vec<Vec<u32>>,
    shares: Vec<MappedFolios>,
    hint: usize,
}

impl<'a> Join<'a> {
    /// Nobody has been walked yet.
    pub fn new(folios: &'a Folios) -> Self {
        Self {
            folios,
            owners: vec![NOBODY; usize::try_from(folios.len()).unwrap_or(0)],
            several: Vec::new(),
            shares: Vec::new(),
            hint: 0,
        }
    }

    /// From here on the pages are this process's.
    pub fn process(&mut self, pid: u32) {
        self.shares.push(MappedFolios {
            pid,
            ..MappedFolios::default()
        });
    }

    /// A page of the process, in order of addresses.
    pub fn page(&mut self, address: u64, pfn: u64) {
        let Some(place) = self.folios.find(pfn, self.hint) else {
            return;
        };
        self.hint = place;
        let run = &self.folios.runs()[place];
        let folio = run.index + ((pfn - run.pfn) >> run.order);
        let number = u32::try_from(self.shares.len()).unwrap_or(SEVERAL - 1);
        let (Some(share), Some(owner)) = (
            self.shares.last_mut(),
            usize::try_from(folio)
                .ok()
                .and_then(|folio| self.owners.get_mut(folio)),
        ) else {
            return;
        };
        share.map(address, pfn);
        if *owner == NOBODY {
            *owner = number;
        } else if *owner & SEVERAL != 0 {
            let list = &mut self.several[(*owner & !SEVERAL) as usize];
            if list.last() != Some(&number) {
                list.push(number);
            }
        } else if *owner != number {
            let place = u32::try_from(self.several.len()).unwrap_or(0);
            self.several.push(vec![*owner, number]);
            *owner = SEVERAL | place;
        }
    }

    /// Folios that nobody who has been walked maps.
    pub fn unowned(&self) -> u64 {
        self.owners.iter().filter(|owner| **owner == NOBODY).count() as u64
    }

    /// What each process maps, and whose each stretch of folios is.
    pub fn finish(self) -> Joined {
        let mut shares = self.shares;
        let (mut given, mut unmapped_pins) = (Vec::new(), Vec::new());
        for run in self.folios.runs() {
            let mut place = run.index;
            let end = run.index + run.folios;
            while place < end {
                let owner = self.owners[usize::try_from(place).unwrap_or(0)];
                let same = self.owners[usize::try_from(place).unwrap_or(0)..usize::try_from(end).unwrap_or(0)]
                    .iter()
                    .take_while(|other| **other == owner)
                    .count() as u64;
                let stretch = FolioRun {
                    pfn: run.pfn + ((place - run.index) << run.order),
                    folios: same,
                    ..*run
                };
                let mut own = |number: u32| {
                    let share = (number as usize)
                        .checked_sub(1)
                        .and_then(|place| shares.get(place));
                    given.extend(share.map(|share: &MappedFolios| (share.pid, stretch)));
                };
                if owner == NOBODY {
                    unmapped_pins.push(stretch);
                } else if owner & SEVERAL != 0 {
                    let list = &self.several[(owner & !SEVERAL) as usize];
                    own(list[0]);
                    for (turn, number) in list.iter().enumerate() {
                        credit(&mut shares, *number, run, same, true, turn == 0);
                    }
                } else {
                    own(owner);
                    credit(&mut shares, owner, run, same, false, true);
                }
                place += same;
            }
        }
        shares.retain(|share| !share.all.is_empty());
        Joined {
            shares,
            owned: given,
            unmapped_pins,
        }
    }
}

/// The outcome of a join.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Processes that map something.
    pub shares: Vec<MappedFolios>,
    /// Stretches of folios, each with the process that it is counted for.
    pub owned: Vec<(u32, FolioRun)>,
    /// Stretches that nobody maps.
    pub unmapped_pins: Vec<FolioRun>,
}

fn credit(
    all: &mut [MappedFolios],
    number: u32,
    run: &FolioRun,
    folios: u64,
    with_others: bool,
    first: bool,
) {
    let Some(share) = (number as usize)
        .checked_sub(1)
        .and_then(|place| all.get_mut(place))
    else {
        return;
    };
    share.all.add(folios, run);
    share
        .parts
        .entry((run.kind, run.order))
        .or_default()
        .add(folios, run);
    if with_others {
        share.shared.add(folios, run);
    }
    if first {
        share.counted.add(folios, run);
    }
}

/// What runs add up to.
pub fn sum<'a>(runs: impl IntoIterator<Item = &'a FolioRun>) -> Amount {
    let mut amount = Amount::default();
    for run in runs {
        amount.add(run.folios, run);
    }
    amount
}

#[cfg(test)]
mod tests {
    use pintrace_common::scan::{MAPPING_ANON, PinnedFolio};

    use super::*;

    fn folios() -> Folios {
        let mut folios = Folios::default();
        for (pfn, order, pins) in [(8, 0, 1), (9, 0, 1), (16, 2, 3)] {
            let found = PinnedFolio {
                pfn,
                pins,
                refcount: pins * 1024 + 1,
                mapcount: 1,
                order,
                mapping: MAPPING_ANON,
                uptodate: 1,
                unused: 0,
            };
            folios.add(&found, |_| false);
        }
        folios
    }

    #[test]
    fn pages_go_to_who_maps_them_and_the_rest_are_unmapped() {
        let folios = folios();
        let mut join = Join::new(&folios);
        join.process(1);
        join.page(0x1000, 8);
        join.page(0x2000, 100);
        join.process(2);
        join.page(0x1000, 17);
        join.page(0x2000, 18);
        assert_eq!(join.unowned(), 1);
        let Joined {
            shares,
            owned,
            unmapped_pins,
        } = join.finish();
        let owned: Vec<_> = owned
            .iter()
            .map(|(pid, run)| (*pid, run.pfn, run.folios))
            .collect();
        assert_eq!(owned, [(1, 8, 1), (2, 16, 1)]);
        assert_eq!((shares[0].pid, shares[0].all.pages), (1, 1));
        // A folio is one, however many of its pages are mapped.
        assert_eq!(
            (shares[1].pid, shares[1].all.pages, shares[1].all.bytes),
            (2, 3, 16 << 10)
        );
        assert_eq!(shares[1].mapped.len(), 1);
        assert_eq!(
            (unmapped_pins.len(), unmapped_pins[0].pfn, unmapped_pins[0].folios),
            (1, 9, 1)
        );
    }

    #[test]
    fn a_page_of_several_is_named_with_all_and_counted_once() {
        let folios = folios();
        let mut join = Join::new(&folios);
        for pid in [1, 2, 3] {
            join.process(pid);
            join.page(0x1000, 8);
        }
        let Joined {
            shares,
            unmapped_pins,
            ..
        } = join.finish();
        let pages: Vec<_> = shares
            .iter()
            .map(|share| (share.all.pages, share.shared.pages, share.counted.pages))
            .collect();
        assert_eq!(pages, [(1, 1, 1), (1, 1, 0), (1, 1, 0)]);
        assert_eq!(sum(&unmapped_pins).pages, 1 + 3);
    }

    #[test]
    fn a_process_that_maps_nothing_pinned_has_no_share() {
        let folios = folios();
        let mut join = Join::new(&folios);
        join.process(1);
        join.page(0x1000, 1 << 60);
        assert_eq!(join.finish().shares, []);
    }
}
