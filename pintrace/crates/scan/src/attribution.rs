//! Attribution: the process that each holder counts for, and the candidates for pins whose holder is unknown.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pintrace_events::units::Pid;
use pintrace_events::{Evidence, ProcessSeen};
use pintrace_kernel::descriptors;
use pintrace_kernel::pagemap;

use super::claims::TableHolder;
use super::join::{Joined, sum};
use super::open_files::{OpenFile, Opener};
use super::pinned_folios::FolioRun;
use super::scan_result::{Candidate, PinHolder, ScanProcess, ScanResult, UnknownPins};
use super::tasks::ProcessTask;

/// What a scan knows of the processes of the system.
pub(super) struct Processes<'s> {
    /// `/proc`.
    pub(super) proc: &'s Path,
    /// All processes, by pid.
    pub(super) all: &'s [ProcessTask],
}

/// Adds the holders that tables name to `result`.
pub(super) fn add_tables(
    result: &mut ScanResult,
    holders: Vec<TableHolder>,
    files: &[OpenFile],
    processes: &Processes<'_>,
) {
    for holder in holders {
        let open = || holder.files.iter().filter_map(|file| files.get(*file));
        let mut openers: Vec<Opener> = open().flat_map(|file| file.openers.iter().copied()).collect();
        openers.sort_unstable();
        let pid = processes.holder(&openers, &holder);
        add(
            result,
            pid,
            PinHolder {
                evidence: Evidence::KernelTable,
                subsystem: open().next().map_or("", |file| file.kind.subsystem()),
                amount: sum(&holder.runs),
                files: open().map(|file| file.file).collect(),
                runs: holder.runs,
                openers,
                addresses: holder.addresses.into_iter().map(|(range, _)| range).collect(),
                private_copies: Vec::new(),
            },
            processes.proc,
        );
    }
}

/// Adds the pins that no table names to `result`, by page tables.
pub(super) fn add_mapped(result: &mut ScanResult, joined: Joined, processes: &Processes<'_>) {
    let mut by_pid: BTreeMap<u32, Vec<FolioRun>> = BTreeMap::new();
    for (pid, run) in joined.owned {
        by_pid.entry(pid).or_default().push(run);
    }
    for (pid, runs) in by_pid {
        let holder = PinHolder {
            evidence: Evidence::PageTables,
            subsystem: processes.likely_subsystem(pid),
            amount: sum(&runs),
            runs,
            files: Vec::new(),
            openers: Vec::new(),
            addresses: Vec::new(),
            private_copies: Vec::new(),
        };
        add(result, pid, holder, processes.proc);
    }
    let shared: BTreeMap<u32, u64> = joined
        .processes
        .iter()
        .map(|process| (process.pid, process.shared.pages))
        .collect();
    let (unmapped, of_several) = (sum(&joined.unmapped), sum(&joined.shared));
    let mut runs = joined.unmapped;
    runs.extend(joined.shared);
    runs.sort_by_key(|run| run.pfn);
    let candidates = if runs.is_empty() {
        Vec::new()
    } else {
        processes.candidates(result, &shared, !unmapped.is_empty())
    };
    result.unknown = UnknownPins {
        unmapped,
        shared: of_several,
        runs,
        candidates,
    };
}

/// Sorts the processes: most pages first.
pub(super) fn sort(result: &mut ScanResult) {
    result
        .processes
        .sort_by_key(|process| (Reverse(process.amount().pages), process.process.pid));
}

fn add(result: &mut ScanResult, pid: u32, holder: PinHolder, proc: &Path) {
    let known = result
        .processes
        .iter_mut()
        .find(|process| process.process.pid == Pid(pid));
    match known {
        Some(process) => process.holders.push(holder),
        None => result.processes.push(ScanProcess {
            process: process_seen(proc, pid),
            holders: vec![holder],
            ..ScanProcess::default()
        }),
    }
}

impl Processes<'_> {
    /// Returns the pid of the process that a holder counts for: the only process that has the file open, else one that
    /// still maps the first pinned page, else the one with the lowest pid. 0 if no process has the file open.
    fn holder(&self, openers: &[Opener], holder: &TableHolder) -> u32 {
        let pids: BTreeSet<u32> = openers.iter().map(|opener| opener.pid).collect();
        let first = pids.first().copied().unwrap_or(0);
        if pids.len() < 2 {
            return first;
        }
        let maps = |pid: &&u32| {
            let mut addresses = holder.addresses.iter();
            addresses.any(|(range, pfn)| pagemap::frame(&self.folder(**pid), range.start) == Some(*pfn))
        };
        pids.iter().find(maps).copied().unwrap_or(first)
    }

    /// Returns the folder of a thread of the process below /proc.
    pub(super) fn folder(&self, pid: u32) -> std::path::PathBuf {
        let index = self.all.binary_search_by_key(&pid, |process| process.pid);
        let process = index.map_or(ProcessTask { pid, tid: pid }, |index| self.all[index]);
        process.folder(self.proc)
    }

    /// Returns the subsystem to which all descriptors of a process point whose tables pintrace cannot read; empty if
    /// they point at several or at none.
    fn likely_subsystem(&self, pid: u32) -> &'static str {
        let known = descriptors::read(&self.folder(pid)).unwrap_or_default().known;
        let mut kinds = known.iter().filter(|one| !one.has_table()).map(|one| one.kind);
        match kinds.next() {
            Some(first) if kinds.all(|kind| kind == first) => first,
            _ => "",
        }
    }

    /// Returns the processes that may hold pins whose holder is unknown: those that map some of them, and, if no process
    /// maps some, those with a descriptor whose table pintrace cannot read.
    fn candidates(
        &self,
        result: &mut ScanResult,
        shared: &BTreeMap<u32, u64>,
        unmapped: bool,
    ) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for process in self.all {
            let shared_pages = shared.get(&process.pid).copied().unwrap_or(0);
            if shared_pages == 0 && !unmapped {
                continue;
            }
            let mut found = descriptors::read(&self.folder(process.pid)).unwrap_or_default();
            result.unreadable.descriptors += found.unread;
            found.known.retain(|descriptor| !descriptor.has_table());
            if shared_pages != 0 || !found.known.is_empty() {
                candidates.push(Candidate {
                    process: process_seen(self.proc, process.pid),
                    shared_pages,
                    descriptors: found.known,
                });
            }
        }
        candidates
    }
}

/// Returns the names of a process; only the pid if the process has ended.
fn process_seen(proc: &Path, pid: u32) -> ProcessSeen {
    pintrace_kernel::process::read(proc, pid).unwrap_or(ProcessSeen {
        pid: Pid(pid),
        ..ProcessSeen::default()
    })
}
