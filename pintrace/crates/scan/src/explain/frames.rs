//! Lists the pinned folios in a range of frames, with their holders.

use std::ops::Range;

use super::Explainer;
use super::page::{PageError, PinsOnPage};
use crate::kind::MemoryKind;
use crate::pinned_folios::FolioRun;
use crate::scan_result::{Candidate, ScanResult};
use crate::scanner::{Addresses, Progress};

/// Adjoining folios of one order with the same number of pins of one holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedFrames {
    /// The frames. A folio that begins before the range or ends behind it is complete.
    pub frames: Range<u64>,
    /// log2 of the number of pages of each folio.
    pub order: u8,
    /// Kind of memory.
    pub kind: MemoryKind,
    /// The holder, with the number of its pins on each folio; `None` if the holder is unknown.
    pub holder: Option<PinsOnPage>,
    /// Number of pins on each folio.
    pub pins: u32,
}

/// What a scan knows of a range of frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeExplained {
    /// Number of frames in the range that are no System RAM, and were not read.
    pub not_read: u64,
    /// Number of frames in the range that are pinned.
    pub pinned_frames: u64,
    /// The pinned folios, by frame. A folio with several holders is in one row for each.
    pub rows: Vec<PinnedFrames>,
    /// Processes that may hold the pins whose holder is unknown; empty if there are none.
    pub candidates: Vec<Candidate>,
}

impl Explainer<'_> {
    /// Scans, and lists the pinned folios of a range of frames.
    ///
    /// # Errors
    ///
    /// Returns an error if the scan fails, or if no frame of the range is System RAM.
    pub fn frames(
        &mut self,
        range: &Range<u64>,
        progress: Progress<'_>,
    ) -> Result<RangeExplained, PageError> {
        let ram = self.scanner.ram_ranges.iter().map(|part| {
            let end = part.end.min(range.end);
            end.saturating_sub(part.start.max(range.start))
        });
        let ram: u64 = ram.sum();
        if ram == 0 {
            return Err(self.no_struct_page(range.start));
        }
        let result = self.scanner.scan(Addresses::Skip, progress)?;
        Ok(RangeExplained {
            not_read: (range.end - range.start).saturating_sub(ram),
            ..in_range(&result, range)
        })
    }
}

/// Returns the pins of a scan on the folios of a range.
fn in_range(result: &ScanResult, range: &Range<u64>) -> RangeExplained {
    let mut rows = Vec::new();
    for process in &result.processes {
        for holder in &process.holders {
            rows.extend(holder.runs.iter().filter_map(|run| {
                let frames = folios_in(run, range)?;
                let holder = PinsOnPage {
                    process: process.process.clone(),
                    evidence: holder.evidence,
                    subsystem: holder.subsystem,
                    openers: holder.openers.clone(),
                    pins: run.pins.into(),
                };
                Some(row(run, frames, Some(holder)))
            }));
        }
    }
    let known = rows.len();
    rows.extend(
        result
            .unknown
            .runs
            .iter()
            .filter_map(|run| Some(row(run, folios_in(run, range)?, None))),
    );
    let candidates = if rows.len() > known {
        result.unknown.candidates.clone()
    } else {
        Vec::new()
    };
    rows.sort_by_key(|row| (row.frames.start, row.frames.end));
    RangeExplained {
        not_read: 0,
        pinned_frames: frames_covered(&rows, range),
        rows,
        candidates,
    }
}

const fn row(run: &FolioRun, frames: Range<u64>, holder: Option<PinsOnPage>) -> PinnedFrames {
    PinnedFrames {
        frames,
        order: run.order,
        kind: run.kind,
        holder,
        pins: run.pins,
    }
}

/// Returns the frames of the folios of a run that have a frame in the range; `None` if there are none.
fn folios_in(run: &FolioRun, range: &Range<u64>) -> Option<Range<u64>> {
    let start = range.start.max(run.pfn);
    let end = range.end.min(run.end());
    if start >= end {
        return None;
    }
    let (first, last) = ((start - run.pfn) >> run.order, (end - 1 - run.pfn) >> run.order);
    Some(run.pfn + (first << run.order)..run.pfn + ((last + 1) << run.order))
}

/// Returns the number of frames of the range that the rows, sorted by their first frames, cover at least once.
fn frames_covered(rows: &[PinnedFrames], range: &Range<u64>) -> u64 {
    let mut covered_to = range.start;
    let mut covered = 0;
    for row in rows {
        let start = row.frames.start.max(covered_to);
        let end = row.frames.end.min(range.end);
        covered += end.saturating_sub(start);
        covered_to = covered_to.max(end);
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan_result::{PinHolder, ScanProcess, UnknownPins};

    const fn run(pfn: u64, folios: u64, order: u8, pins: u32) -> FolioRun {
        FolioRun {
            pfn,
            folios,
            order,
            kind: MemoryKind::Anon,
            pins,
            exclusive: None,
            index: 0,
        }
    }

    fn holder(runs: Vec<FolioRun>) -> PinHolder {
        PinHolder {
            evidence: pintrace_events::Evidence::KernelTable,
            subsystem: "io_uring",
            amount: crate::join::Amount::default(),
            runs,
            files: Vec::new(),
            openers: Vec::new(),
            addresses: Vec::new(),
            private_copies: Vec::new(),
        }
    }

    fn result() -> ScanResult {
        ScanResult {
            processes: vec![ScanProcess {
                holders: vec![
                    holder(vec![run(8, 8, 0, 1), run(512, 2, 9, 3)]),
                    holder(vec![run(12, 8, 0, 1)]),
                ],
                ..ScanProcess::default()
            }],
            unknown: UnknownPins {
                runs: vec![run(100, 1, 0, 2)],
                candidates: vec![Candidate::default()],
                ..UnknownPins::default()
            },
            ..ScanResult::default()
        }
    }

    fn frames(range: Range<u64>) -> (Vec<(u64, u64)>, u64, usize) {
        let found = in_range(&result(), &range);
        let frames = found
            .rows
            .iter()
            .map(|row| (row.frames.start, row.frames.end))
            .collect();
        (frames, found.pinned_frames, found.candidates.len())
    }

    #[test]
    fn a_frame_with_two_holders_is_in_two_rows_and_counts_once() {
        assert_eq!(frames(0..50), (vec![(8, 16), (12, 20)], 12, 0));
        assert_eq!(frames(10..13), (vec![(10, 13), (12, 13)], 3, 0));
    }

    #[test]
    fn a_large_folio_is_complete_and_only_its_frames_in_the_range_count() {
        assert_eq!(frames(600..601), (vec![(512, 1024)], 1, 0));
        assert_eq!(frames(1000..1100), (vec![(512, 1536)], 100, 0));
        assert_eq!(frames(1536..1600), (vec![], 0, 0));
    }

    #[test]
    fn candidates_are_named_only_with_pins_of_unknown_holders() {
        assert_eq!(frames(90..101), (vec![(100, 101)], 1, 1));
    }
}
