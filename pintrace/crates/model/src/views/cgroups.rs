//! The tree of the cgroups of all processes that pin.

mod tree;

use std::collections::{BTreeMap, HashMap};

use pintrace_events::units::{Nanos, Pid};

use crate::finding::Severity;
use crate::snapshot::{Process, Snapshot};

pub use self::tree::sorted;

use self::tree::Tree;
use super::container::Container;
use super::ended::is_over;

/// The path that stands for processes whose cgroup was not read.
pub const UNKNOWN: &str = "(unknown)";

/// One cgroup.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CgroupRow {
    /// cgroup v2 path; [`UNKNOWN`] for processes whose cgroup was not read.
    pub path: String,
    /// Last part of the path; `/` for the root.
    pub name: String,
    /// Number of cgroups above this one.
    pub depth: usize,
    /// Index of the row of the cgroup above.
    pub parent: Option<usize>,
    /// Number of rows below this one that belong to cgroups inside this one. They follow this row without a gap.
    pub descendants: usize,
    /// The container, machine, service or session whose cgroup this is.
    pub container: Option<Container>,
    /// Sums over the processes of this cgroup.
    pub own: CgroupSums,
    /// Sums over the processes of this cgroup and of all cgroups inside it.
    pub subtree: CgroupSums,
}

/// Sums over processes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CgroupSums {
    /// Pages held now.
    pub pages_held: u64,
    /// Bytes kept in place now.
    pub bytes_held: u64,
    /// Pages of `pages_held` that were pinned with `FOLL_LONGTERM`.
    pub longterm_pages_held: u64,
    /// Pages of `pages_held` whose pins hooks saw.
    pub traced_pages_held: u64,
    /// Pages pinned per second, over the last full tick.
    pub acquired_per_second: f64,
    /// Pages released per second, over the last full tick.
    pub released_per_second: f64,
    /// Processes that hold pages.
    pub processes: u64,
    /// Those of them that hooks have not seen pin or release.
    pub untraced_processes: u64,
    /// Time of the oldest pin held; `None` without a traced pin.
    pub oldest_since: Option<Nanos>,
    /// Some pins are older than this ([`Process::older_than`]).
    pub older_than: Option<Nanos>,
    /// Findings of the processes, without repeats.
    pub findings: u64,
    /// Those of them that are hazards or alarms.
    pub dangers: u64,
}

impl CgroupSums {
    fn add_process(&mut self, process: &Process) {
        self.add(&Self {
            pages_held: process.pages_held,
            bytes_held: process.bytes_held,
            longterm_pages_held: process.longterm_pages_held,
            traced_pages_held: process.pages_held.saturating_sub(process.scan_pages_held),
            acquired_per_second: process.acquired_per_second,
            released_per_second: process.released_per_second,
            processes: u64::from(process.pages_held > 0),
            untraced_processes: u64::from(process.pages_held > 0 && process.untraced),
            oldest_since: process.oldest_since,
            older_than: process.older_than,
            findings: 0,
            dangers: 0,
        });
    }

    fn add(&mut self, other: &Self) {
        self.pages_held = self.pages_held.saturating_add(other.pages_held);
        self.bytes_held = self.bytes_held.saturating_add(other.bytes_held);
        self.longterm_pages_held = self.longterm_pages_held.saturating_add(other.longterm_pages_held);
        self.traced_pages_held = self.traced_pages_held.saturating_add(other.traced_pages_held);
        self.acquired_per_second += other.acquired_per_second;
        self.released_per_second += other.released_per_second;
        self.processes = self.processes.saturating_add(other.processes);
        self.untraced_processes = self.untraced_processes.saturating_add(other.untraced_processes);
        self.oldest_since = self.oldest_since.into_iter().chain(other.oldest_since).min();
        self.older_than = self.older_than.into_iter().chain(other.older_than).min();
        self.findings = self.findings.saturating_add(other.findings);
        self.dangers = self.dangers.saturating_add(other.dangers);
    }
}

/// Returns the cgroups, each followed by the cgroups inside it, those with most pages first. Processes that have ended
/// and hold nothing count only if they have findings.
#[must_use]
pub fn of(snapshot: &Snapshot) -> Vec<CgroupRow> {
    let mut tree = Tree::default();
    let findings = findings_by_process(snapshot, &mut tree);
    for (position, process) in snapshot.processes.iter().enumerate() {
        let [count, dangers] = findings.get(&position).copied().unwrap_or_default();
        if is_over(process) && count == 0 {
            continue;
        }
        let own = tree.own(&process.cgroup);
        own.add_process(process);
        own.findings = own.findings.saturating_add(count);
        own.dangers = own.dangers.saturating_add(dangers);
    }
    tree.rows()
}

/// Returns the number of findings of each process and of those that are more than notes, by its position. A pid may have belonged to several processes: a
/// finding is of the latest one with the command name of the finding. Findings of other processes are of an unknown
/// cgroup.
fn findings_by_process(snapshot: &Snapshot, tree: &mut Tree) -> BTreeMap<usize, [u64; 2]> {
    if snapshot.findings.is_empty() {
        return BTreeMap::new();
    }
    let mut by_pid: HashMap<Pid, usize> = HashMap::new();
    let mut by_name: HashMap<(Pid, &str), usize> = HashMap::new();
    for (position, process) in snapshot.processes.iter().enumerate() {
        by_pid.insert(process.pid, position);
        by_name.insert((process.pid, &process.comm), position);
    }
    let mut counts = BTreeMap::new();
    for finding in &snapshot.findings {
        let named = by_name.get(&(finding.pid, finding.comm.as_str()));
        let danger = u64::from(finding.severity > Severity::Note);
        if let Some(position) = named.or_else(|| by_pid.get(&finding.pid)) {
            let counts: &mut [u64; 2] = counts.entry(*position).or_default();
            counts[0] += 1;
            counts[1] += danger;
        } else {
            let unknown = tree.own("");
            unknown.findings += 1;
            unknown.dangers += danger;
        }
    }
    counts
}
