//! The pinned folios of one scan, as runs of equal neighbours, and looked up by frame.

use pintrace_common::scan::PinnedFolio;

use pintrace_kernel::layout::PIN_BIAS;

use super::kind::MemoryKind;

/// Neighbouring folios that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolioRun {
    /// Frame of the first head page.
    pub pfn: u64,
    /// How many folios.
    pub folios: u64,
    /// log2 of the pages of each.
    pub order: u8,
    /// What they are.
    pub kind: MemoryKind,
    /// Pins on each.
    pub pins: u32,
    /// Folios in the runs before this one.
    pub index: u64,
}

impl FolioRun {
    /// The frame after the last.
    pub fn end(&self) -> u64 {
        self.pfn + (self.folios << self.order)
    }
}

/// A folio that looks pinned (`page_maybe_dma_pinned`) and most likely is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ImplausiblePin {
    /// Frame number.
    pub pfn: u64,
    /// What it is.
    pub kind: MemoryKind,
    /// Its references; 1024 and more look like pins.
    pub references: u32,
    /// How often it is mapped: as many of the references.
    pub maps: u32,
    /// Why it is taken for not pinned.
    pub why: NotPinned,
}

/// Why a folio that looks pinned is taken for not pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotPinned {
    /// Without the references of those that map it, there are too few for a pin.
    Mapped,
    /// It is the kernel's own: no file's, not anonymous, never filled. The network's fragments count that way
    /// (`page_frag_cache_refill`).
    Kernel,
}

/// What one scan found.
#[derive(Clone, Debug, Default)]
pub struct Folios {
    runs: Vec<FolioRun>,
    count: u64,
    /// Those that only look pinned; the first of them.
    pub implausible: Vec<ImplausiblePin>,
    /// All of those, also the ones that are not kept.
    pub implausible_count: u64,
}

/// ImplausiblePin folios that are kept to be shown.
const IMPLAUSIBLE_KEPT: usize = 1024;

impl Folios {
    /// Adds a folio. Frames come in order.
    pub fn add(&mut self, found: &PinnedFolio, is_hugetlb: impl FnOnce(u64) -> bool) {
        let kind = MemoryKind::of(found);
        let pins = match pins(found) {
            Ok(pins) => pins,
            Err(why) => {
                self.implausible_count += 1;
                if self.implausible.len() < IMPLAUSIBLE_KEPT {
                    self.implausible.push(ImplausiblePin {
                        pfn: found.pfn,
                        kind,
                        references: found.refcount,
                        maps: maps(found),
                        why,
                    });
                }
                return;
            }
        };
        let order = found.order.min(63);
        // Asked of each: a transparent huge page may lie beside one of hugetlb.
        let kind = if order > 0 && is_hugetlb(found.pfn) {
            MemoryKind::Hugetlb
        } else {
            kind
        };
        if let Some(last) = self.runs.last_mut() {
            // A frame that has been told before: the scan went over a folio that was made meanwhile.
            if found.pfn < last.end() {
                return;
            }
            let alike = last.order == order && last.pins == pins && last.kind == kind;
            if alike && last.end() == found.pfn && (order == 0 || last.kind != MemoryKind::Other) {
                last.folios += 1;
                self.count += 1;
                return;
            }
        }
        self.runs.push(FolioRun {
            pfn: found.pfn,
            folios: 1,
            order,
            kind,
            pins,
            index: self.count,
        });
        self.count += 1;
    }

    /// The runs, by frame.
    pub fn runs(&self) -> &[FolioRun] {
        &self.runs
    }

    /// How many folios there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The run that a frame lies in, by its place in [`Self::runs`]. `hint` is where it may well be.
    pub fn find(&self, pfn: u64, hint: usize) -> Option<usize> {
        let holds = |run: &FolioRun| run.pfn <= pfn && pfn < run.end();
        if self.runs.get(hint).is_some_and(holds) {
            return Some(hint);
        }
        let after = self.runs.partition_point(|run| run.pfn <= pfn);
        let place = after.checked_sub(1)?;
        holds(&self.runs[place]).then_some(place)
    }
}

fn maps(found: &PinnedFolio) -> u32 {
    // What is no count of maps is a type of page, in the same place (`page_type`).
    if found.mapcount > found.refcount {
        0
    } else {
        found.mapcount
    }
}

/// Pins of a folio, or why there are none.
fn pins(found: &PinnedFolio) -> Result<u32, NotPinned> {
    if found.order > 0 {
        return Ok(found.pins);
    }
    let pins = (found.refcount - maps(found)) / PIN_BIAS;
    if pins == 0 {
        return Err(NotPinned::Mapped);
    }
    if found.mapping == 0 && found.uptodate == 0 && maps(found) == 0 {
        return Err(NotPinned::Kernel);
    }
    Ok(pins)
}

#[cfg(test)]
mod tests {
    use pintrace_common::scan::{MAPPING_ANON, MAPPING_FILE};

    use super::*;

    fn small(pfn: u64, refcount: u32, mapcount: u32) -> PinnedFolio {
        PinnedFolio {
            pfn,
            pins: refcount / 1024,
            refcount,
            mapcount,
            order: 0,
            mapping: MAPPING_ANON,
            uptodate: 1,
            unused: 0,
        }
    }

    fn folios(found: &[PinnedFolio]) -> Folios {
        let mut folios = Folios::default();
        for one in found {
            folios.add(one, |_| false);
        }
        folios
    }

    #[test]
    fn neighbours_that_are_alike_are_one_run() {
        let folios = folios(&[
            small(8, 1025, 1),
            small(9, 1025, 1),
            small(10, 2049, 1),
            small(12, 2049, 1),
        ]);
        let shape: Vec<_> = folios
            .runs()
            .iter()
            .map(|run| (run.pfn, run.folios, run.pins))
            .collect();
        assert_eq!(shape, [(8, 2, 1), (10, 1, 2), (12, 1, 2)]);
        assert_eq!(folios.find(9, 0), Some(0));
        assert_eq!(folios.find(12, 0), Some(2));
        assert_eq!((folios.find(11, 0), folios.find(7, 2)), (None, None));
    }

    #[test]
    fn a_transparent_huge_page_beside_one_of_hugetlb_is_no_such() {
        let huge = |pfn| PinnedFolio {
            order: 9,
            pins: 512,
            ..small(pfn, 513, 0)
        };
        let mut folios = Folios::default();
        for pfn in [512, 1024, 1536] {
            folios.add(&huge(pfn), |pfn| pfn == 1024);
        }
        let kinds: Vec<_> = folios
            .runs()
            .iter()
            .map(|run| (run.pfn, run.folios, run.kind == MemoryKind::Hugetlb))
            .collect();
        assert_eq!(kinds, [(512, 1, false), (1024, 1, true), (1536, 1, false)]);
    }

    #[test]
    fn a_page_that_a_thousand_processes_map_is_not_pinned() {
        let folios = folios(&[small(8, 1500, 1499)]);
        assert!(folios.is_empty());
        assert_eq!(
            (folios.implausible_count, folios.implausible[0].why),
            (1, NotPinned::Mapped)
        );
    }

    #[test]
    fn a_page_that_is_mapped_often_and_pinned_is_pinned() {
        let folios = folios(&[small(8, 1499 + 1024, 1499)]);
        assert_eq!(folios.runs()[0].pins, 1);
    }

    #[test]
    fn a_page_of_the_network_is_the_kernels_own() {
        let fragment = PinnedFolio {
            mapping: 0,
            uptodate: 0,
            ..small(8, 32769, 0)
        };
        assert_eq!(folios(&[fragment]).implausible[0].why, NotPinned::Kernel);
        // One of a file that was truncated had been filled.
        let truncated = PinnedFolio {
            uptodate: 1,
            ..fragment
        };
        assert_eq!(folios(&[truncated]).runs()[0].kind, MemoryKind::Other);
    }

    #[test]
    fn a_type_of_page_is_no_count_of_maps() {
        let odd = PinnedFolio {
            mapping: MAPPING_FILE,
            ..small(8, 1024, 0xf000_0000)
        };
        assert_eq!(folios(&[odd]).runs()[0].pins, 1);
    }
}
