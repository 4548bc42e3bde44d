//! Attribution: the process that each pinned folio is counted for, by page tables and by descriptors.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pintrace_events::ProcessSeen;
use pintrace_events::units::Pid;
use pintrace_kernel::descriptors::Descriptor;

use super::has_pinned::ProcessTask;
use super::join::{Joined, MappedFolios, sum};
use super::open_files::OpenFiles;
use super::scan_result::{KindAmount, ScanHolder, ScanResult, UnmappedPins};
use super::unmapped;

/// Adds the holders and the unmapped pins to `result`.
pub(super) fn attribute(
    result: &mut ScanResult,
    joined: Joined,
    all_processes: &[ProcessTask],
    open_files: &OpenFiles<'_>,
) {
    let Joined {
        processes,
        owned,
        unmapped_pins: runs,
    } = joined;
    let unmapped = sum(&runs);
    let mapping_pids: BTreeSet<u32> = processes.iter().map(|process| process.pid).collect();
    let mut descriptors = Vec::new();
    for process in all_processes {
        if !unmapped.is_empty() || mapping_pids.contains(&process.pid) {
            open_files.read(*process, &mut descriptors, &mut result.unreadable);
        }
    }
    let mapped_pages = processes
        .iter()
        .map(|process| (process.pid, process.counted.pages))
        .collect();
    let assigned = unmapped::assign(&descriptors, &mapped_pages, unmapped.pages);
    result.owned = owned;
    result.owned.extend(unmapped::divide(&runs, &assigned));
    result.unmapped_pins = UnmappedPins {
        unmapped,
        explained: assigned.values().sum(),
        parts: KindAmount::of_runs(&runs),
        runs,
        candidates: Vec::new(),
    };
    let mut holders: BTreeMap<u32, ScanHolder> = BTreeMap::new();
    for process in processes {
        holders.insert(process.pid, holder(open_files.proc, process));
    }
    for (pid, pages) in assigned {
        let holder = holders.entry(pid).or_insert_with(|| ScanHolder {
            process: process_seen(open_files.proc, pid),
            ..ScanHolder::default()
        });
        holder.by_descriptor = pages;
    }
    let unexplained = result.unmapped_pins.pages() != 0;
    let mut candidates: BTreeMap<u32, Vec<Descriptor>> = BTreeMap::new();
    for open in descriptors {
        match holders.get_mut(&open.pid) {
            Some(holder) => holder.descriptors.push(open.descriptor),
            None if unexplained => candidates.entry(open.pid).or_default().push(open.descriptor),
            None => {}
        }
    }
    result.unmapped_pins.candidates = candidates
        .into_iter()
        .map(|(pid, descriptors)| (process_seen(open_files.proc, pid), descriptors))
        .collect();
    result.holders = holders.into_values().collect();
    result
        .holders
        .sort_by_key(|holder| Reverse((holder.pages(), holder.mapped.pages)));
}

fn holder(proc: &Path, process: MappedFolios) -> ScanHolder {
    ScanHolder {
        process: process_seen(proc, process.pid),
        mapped: process.all,
        shared: process.shared,
        counted: process.counted,
        by_descriptor: 0,
        parts: process
            .parts
            .into_iter()
            .map(|((kind, order), amount)| KindAmount { kind, order, amount })
            .collect(),
        ranges: process.ranges,
        more_ranges: process.more_ranges,
        descriptors: Vec::new(),
    }
}

/// Returns the names of a process; only the pid if the process has ended.
fn process_seen(proc: &Path, pid: u32) -> ProcessSeen {
    pintrace_kernel::process::read(proc, pid).unwrap_or(ProcessSeen {
        pid: Pid(pid),
        ..ProcessSeen::default()
    })
}
