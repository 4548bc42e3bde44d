//! The audit of exclusive pages. Since 5.19 the kernel pins an anonymous page only if the page is exclusive to one process
//! (`PG_anon_exclusive`), and a pinned page keeps the mark until the page is freed (`sanity_check_pinned_pages`,
//! mm/gup.c). If a pinned page lacks the mark, the process gets a copy at its next write, and the device keeps the old
//! page.
//!
//! Only pins that a kernel table names are checked. Other pins may be in the middle of a pin call, which takes the pin
//! before it checks the mark (`gup_fast_pte_range`), and a small folio may look pinned by other references. Of a large
//! folio, a table does not say which page is mapped how, so a large folio counts only if none of its pages has the mark.

use std::collections::BTreeMap;

use pintrace_events::Evidence;
use serde::Serialize;

use super::pinned_folios::FolioRun;
use super::scan_result::ScanResult;

/// The outcome of the audit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exclusivity {
    /// Number of anonymous folios whose pins a kernel table names.
    pub checked: u64,
    /// Number of these folios that are not exclusive. The kernel should prevent this.
    pub not_exclusive: u64,
    /// The processes that hold pins on such folios.
    pub holders: Vec<NotExclusiveHolder>,
}

/// A process that holds pins on folios that are not exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NotExclusiveHolder {
    /// Pid of the process.
    pub pid: u32,
    /// Number of folios.
    pub folios: u64,
}

/// A second look at the struct pages of one folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A page of the folio has the mark, or the folio is no longer pinned anonymous memory.
    Exclusive,
    /// The folio is pinned anonymous memory, and no page of it has the mark.
    Missing,
}

/// Checks the folios of a scan. `look` reads the folio with this order that begins at this frame once more.
pub(super) fn audit(result: &ScanResult, look: &mut dyn FnMut(u64, u8) -> Mark) -> Exclusivity {
    let mut outcome = Exclusivity::default();
    // Several holders may share a folio.
    let mut seen: BTreeMap<u64, Mark> = BTreeMap::new();
    let mut checked: Vec<&FolioRun> = Vec::new();
    for process in &result.processes {
        let mut folios = 0;
        let tables = process
            .holders
            .iter()
            .filter(|one| one.evidence == Evidence::KernelTable);
        for run in tables.flat_map(|holder| &holder.runs) {
            let Some(exclusive) = run.exclusive else {
                continue;
            };
            checked.push(run);
            if exclusive {
                continue;
            }
            for pfn in (run.pfn..run.end()).step_by(1 << run.order) {
                if seen.len() >= MOST_LOOKS && !seen.contains_key(&pfn) {
                    break;
                }
                let mark = *seen.entry(pfn).or_insert_with(|| look(pfn, run.order));
                folios += u64::from(mark == Mark::Missing);
            }
        }
        if folios > 0 {
            outcome.holders.push(NotExclusiveHolder {
                pid: process.process.pid.0,
                folios,
            });
        }
    }
    outcome.not_exclusive = seen.values().filter(|mark| **mark == Mark::Missing).count() as u64;
    outcome.checked = folios_once(checked);
    outcome
}

/// Most folios that are read once more. No kernel should have one.
const MOST_LOOKS: usize = 1 << 16;

/// Returns the number of folios of runs that may overlap.
fn folios_once(mut runs: Vec<&FolioRun>) -> u64 {
    runs.sort_unstable_by_key(|run| run.pfn);
    let (mut folios, mut end) = (0, 0);
    for run in runs {
        let first = run.pfn.max(end);
        if first < run.end() {
            folios += (run.end() - first) >> run.order;
            end = run.end();
        }
    }
    folios
}

#[cfg(test)]
mod tests;
