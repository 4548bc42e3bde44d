//! Private copies: pinned anonymous pages that a process got by writing to a private mapping of a file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use pintrace_events::Evidence;
use pintrace_kernel::private_files::{self, PrivateMapping};
use serde::Serialize;

use super::attribution::Processes;
use super::kind::MemoryKind;
use super::pinned_folios::FolioRun;
use super::scan_result::ScanResult;

#[cfg(test)]
mod tests;

/// Pinned anonymous pages in private mappings of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrivateCopies {
    /// Name of the file as /proc/PID/maps shows it.
    pub file: String,
    /// Number of pages, each counted once.
    pub pages: u64,
}

/// Adds the private copies to each holder. `mapped` has the addresses at which processes map pinned pages, by pid, for
/// holders without addresses of their own.
pub(super) fn add(
    result: &mut ScanResult,
    mapped: &BTreeMap<u32, Vec<Range<u64>>>,
    processes: &Processes<'_>,
) {
    for process in &mut result.processes {
        let pid = process.process.pid.0;
        let has_anon = |run: &FolioRun| run.kind == MemoryKind::Anon;
        let mut holders = process.holders.iter();
        if pid == 0 || !holders.any(|holder| holder.runs.iter().any(has_anon)) {
            continue;
        }
        let folder = processes.folder(pid);
        let mappings = private_files::mappings(&folder);
        for holder in &mut process.holders {
            let addresses = match holder.evidence {
                Evidence::PageTables => mapped.get(&pid).map_or(&[][..], Vec::as_slice),
                Evidence::KernelTable => &holder.addresses,
            };
            holder.private_copies = copies(&folder, &mappings, addresses, &holder.runs);
        }
    }
}

/// Returns the copies among `runs` that the process maps at `addresses`, by file.
fn copies(
    folder: &Path,
    mappings: &[PrivateMapping],
    addresses: &[Range<u64>],
    runs: &[FolioRun],
) -> Vec<PrivateCopies> {
    let mut anon: Vec<&FolioRun> = runs.iter().filter(|run| run.kind == MemoryKind::Anon).collect();
    anon.sort_by_key(|run| run.pfn);
    let is_pinned = |pfn: u64| {
        let behind = anon.partition_point(|run| run.pfn <= pfn);
        behind > 0 && pfn < anon[behind - 1].end()
    };
    let mut by_file: BTreeMap<&str, u64> = BTreeMap::new();
    for addresses in merged(addresses) {
        for mapping in mappings {
            let common =
                addresses.start.max(mapping.addresses.start)..addresses.end.min(mapping.addresses.end);
            if common.is_empty() {
                continue;
            }
            private_files::anonymous_frames(folder, common, &mut |pfn| {
                if is_pinned(pfn) {
                    *by_file.entry(&mapping.file).or_default() += 1;
                }
            });
        }
    }
    let copies = by_file.into_iter().map(|(file, pages)| PrivateCopies {
        file: file.to_owned(),
        pages,
    });
    copies.collect()
}

/// Returns the addresses without overlap, in their order.
fn merged(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.to_vec();
    sorted.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}
