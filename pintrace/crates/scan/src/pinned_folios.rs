//! The pinned folios of one scan, as runs of equal folios, with a search by frame.

use pintrace_common::folio;
use pintrace_common::scan::{EXCLUSIVE_NO, EXCLUSIVE_YES, PinnedFolio};

use pintrace_kernel::layout::PIN_BIAS;

use super::kind::MemoryKind;

#[cfg(test)]
mod tests;

/// Adjoining folios with the same order, kind and number of pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolioRun {
    /// Frame of the head page of the first folio.
    pub pfn: u64,
    /// Number of folios.
    pub folios: u64,
    /// log2 of the number of pages of each folio.
    pub order: u8,
    /// Kind of memory.
    pub kind: MemoryKind,
    /// Number of pins on each folio.
    pub pins: u32,
    /// The head page of each folio is exclusive (`PG_anon_exclusive`); `None` for other than anonymous memory, and before
    /// 5.19.
    pub exclusive: Option<bool>,
    /// Number of folios in the runs before this run.
    pub index: u64,
}

impl FolioRun {
    /// Returns the frame after the last folio.
    pub fn end(&self) -> u64 {
        self.pfn + (self.folios << self.order)
    }
}

/// A folio that looks pinned (`page_maybe_dma_pinned`) and most likely is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ImplausiblePin {
    /// Frame number.
    pub pfn: u64,
    /// Kind of memory.
    pub kind: MemoryKind,
    /// Number of references (`_refcount`); a number of 1024 or more looks like a pin.
    pub references: u32,
    /// Number of page table entries that map the folio. Each holds one of the references.
    pub maps: u32,
    /// Reason why the folio counts as not pinned.
    pub why: NotPinned,
}

/// The reason why a folio that looks pinned counts as not pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotPinned {
    /// Without the references of page tables, too few references remain for a pin.
    Mapped,
    /// The page belongs to the kernel: the page has no mapping, is not mapped, and was never marked up to date. The
    /// fragments of network buffers take many references in this way (`page_frag_cache_refill`).
    Kernel,
    /// vmstat counts no pin for the folio: `nr_foll_pin_acquired` less `nr_foll_pin_released` is the number of pins that
    /// tables and large folios explain.
    Vmstat,
}

/// The folios that one scan found.
#[derive(Clone, Debug, Default)]
pub struct Folios {
    runs: Vec<FolioRun>,
    count: u64,
    /// First part of the folios that look pinned and most likely are not.
    pub implausible: Vec<ImplausiblePin>,
    /// Number of all folios that look pinned and most likely are not.
    pub implausible_count: u64,
}

/// Most implausible pins that are kept.
const IMPLAUSIBLE_KEPT: usize = 1024;

impl Folios {
    /// Adds a folio. The caller adds folios in the order of frames.
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
        // Read for each folio: a transparent huge page may adjoin a hugetlb page.
        let kind = if order > 0 && is_hugetlb(found.pfn) {
            MemoryKind::Hugetlb
        } else {
            kind
        };
        let exclusive = exclusive(found);
        if let Some(last) = self.runs.last_mut() {
            // The last run already covers the frame: the kernel made the last folio during the scan.
            if found.pfn < last.end() {
                return;
            }
            let alike =
                last.order == order && last.pins == pins && last.kind == kind && last.exclusive == exclusive;
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
            exclusive,
            index: self.count,
        });
        self.count += 1;
    }

    /// Adds folios behind all others. A run without pins is left out.
    pub fn add_run(&mut self, run: FolioRun) {
        if run.pins == 0 || run.folios == 0 {
            return;
        }
        match self.runs.last_mut() {
            Some(last)
                if last.order == run.order
                    && last.pins == run.pins
                    && last.kind == run.kind
                    && last.exclusive == run.exclusive
                    && last.end() == run.pfn =>
            {
                last.folios += run.folios;
            }
            _ => self.runs.push(FolioRun {
                index: self.count,
                ..run
            }),
        }
        self.count += run.folios;
    }

    /// Returns the first frame of a pinned folio from a frame on.
    pub fn next_pinned(&self, pfn: u64) -> Option<u64> {
        let after = self.runs.partition_point(|run| run.end() <= pfn);
        self.runs.get(after).map(|run| run.pfn.max(pfn))
    }

    /// Returns the runs, by frame.
    pub fn runs(&self) -> &[FolioRun] {
        &self.runs
    }

    /// Returns the number of folios.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Returns true if there is no folio.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the index in [`Self::runs`] of the run that contains the frame. The run at `hint` is tried first.
    pub fn find(&self, pfn: u64, hint: usize) -> Option<usize> {
        let holds = |run: &FolioRun| run.pfn <= pfn && pfn < run.end();
        if self.runs.get(hint).is_some_and(holds) {
            return Some(hint);
        }
        let after = self.runs.partition_point(|run| run.pfn <= pfn);
        let index = after.checked_sub(1)?;
        holds(&self.runs[index]).then_some(index)
    }
}

/// Returns whether the head page of a folio is exclusive.
fn exclusive(found: &PinnedFolio) -> Option<bool> {
    match found.exclusive {
        EXCLUSIVE_YES => Some(true),
        EXCLUSIVE_NO => Some(false),
        _ => None,
    }
}

/// Returns how often a small folio is mapped.
fn maps(found: &PinnedFolio) -> u32 {
    folio::maps(found.refcount, found.mapcount)
}

/// Returns the number of pins on a folio, or the reason why the folio counts as not pinned.
pub(crate) fn pins(found: &PinnedFolio) -> Result<u32, NotPinned> {
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
