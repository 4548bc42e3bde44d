//! The tree of the cgroups of all processes that pin.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use pintrace_events::units::{Nanos, Pid};

use crate::snapshot::{Process, Snapshot};

use super::container::{self, Container};
use super::ended::is_over;

/// The path that stands for processes whose cgroup was not read.
pub const UNKNOWN: &str = "(unknown)";

/// Most levels of the tree. Deeper parts of a path are one level together.
const LEVELS: usize = 32;
/// Most cgroups of the tree. Processes of further cgroups count in the next higher cgroup.
const MOST: usize = 1 << 17;

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
    /// Pages pinned per second, over the last full tick.
    pub acquired_per_second: f64,
    /// Pages released per second, over the last full tick.
    pub released_per_second: f64,
    /// Processes that hold pages.
    pub processes: u64,
    /// Time of the oldest pin held; `None` without a traced pin.
    pub oldest_since: Option<Nanos>,
    /// Findings of the processes, without repeats.
    pub findings: u64,
}

impl CgroupSums {
    fn add_process(&mut self, process: &Process) {
        self.add(&Self {
            pages_held: process.pages_held,
            bytes_held: process.bytes_held,
            longterm_pages_held: process.longterm_pages_held,
            acquired_per_second: process.acquired_per_second,
            released_per_second: process.released_per_second,
            processes: u64::from(process.pages_held > 0),
            oldest_since: process.oldest_since,
            findings: 0,
        });
    }

    fn add(&mut self, other: &Self) {
        self.pages_held = self.pages_held.saturating_add(other.pages_held);
        self.bytes_held = self.bytes_held.saturating_add(other.bytes_held);
        self.longterm_pages_held = self.longterm_pages_held.saturating_add(other.longterm_pages_held);
        self.acquired_per_second += other.acquired_per_second;
        self.released_per_second += other.released_per_second;
        self.processes = self.processes.saturating_add(other.processes);
        self.oldest_since = self.oldest_since.into_iter().chain(other.oldest_since).min();
        self.findings = self.findings.saturating_add(other.findings);
    }
}

/// Returns the cgroups, each followed by the cgroups inside it, those with most pages first. Processes that have ended
/// and hold nothing count only if they have findings.
#[must_use]
pub fn of(snapshot: &Snapshot) -> Vec<CgroupRow> {
    let mut tree = Tree::default();
    let findings = findings_by_process(snapshot, &mut tree);
    for (position, process) in snapshot.processes.iter().enumerate() {
        let count = findings.get(&position).copied().unwrap_or(0);
        if is_over(process) && count == 0 {
            continue;
        }
        let node = tree.node(&process.cgroup);
        let own = &mut tree.nodes[node].own;
        own.add_process(process);
        own.findings = own.findings.saturating_add(count);
    }
    tree.rows()
}

/// Returns the number of findings of each process, by its position. A pid may have belonged to several processes: a
/// finding is of the latest one with the command name of the finding. Findings of other processes are of an unknown
/// cgroup.
fn findings_by_process(snapshot: &Snapshot, tree: &mut Tree) -> BTreeMap<usize, u64> {
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
        if let Some(position) = named.or_else(|| by_pid.get(&finding.pid)) {
            *counts.entry(*position).or_insert(0) += 1;
        } else {
            let unknown = tree.node("");
            tree.nodes[unknown].own.findings += 1;
        }
    }
    counts
}

/// A tree that is being built. A parent stands before its children.
#[derive(Default)]
struct Tree {
    nodes: Vec<Node>,
    /// By parent and name.
    by_name: HashMap<(Option<usize>, String), usize>,
    /// By the path of a process: many processes share a cgroup.
    by_path: HashMap<String, usize>,
}

#[derive(Default)]
struct Node {
    name: String,
    parent: Option<usize>,
    own: CgroupSums,
    subtree: CgroupSums,
}

impl Tree {
    /// Returns the node of a path, with all nodes above it.
    fn node(&mut self, path: &str) -> usize {
        if let Some(node) = self.by_path.get(path) {
            return *node;
        }
        let node = if path.is_empty() {
            self.child(None, UNKNOWN)
        } else {
            let root = self.child(None, "/");
            let trimmed = path.trim_matches('/');
            let parts = trimmed.splitn(LEVELS - 1, '/').filter(|part| !part.is_empty());
            parts.fold(root, |parent, part| self.child(Some(parent), part))
        };
        self.by_path.insert(path.to_owned(), node);
        node
    }

    /// Returns a child of a node; the node itself if the tree is full.
    fn child(&mut self, parent: Option<usize>, name: &str) -> usize {
        let key = (parent, name.to_owned());
        if let Some(node) = self.by_name.get(&key) {
            return *node;
        }
        if let (Some(parent), true) = (parent, self.nodes.len() >= MOST) {
            return parent;
        }
        self.nodes.push(Node {
            name: name.to_owned(),
            parent,
            ..Node::default()
        });
        self.by_name.insert(key, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    fn rows(mut self) -> Vec<CgroupRow> {
        self.sum_subtrees();
        let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            children.entry(node.parent).or_default().push(index);
        }
        for siblings in children.values_mut() {
            siblings.sort_by_cached_key(|node| {
                let node = &self.nodes[*node];
                // Reversed, because the first row is taken from the end.
                (node.subtree.pages_held, Reverse(node.name.clone()))
            });
        }
        let mut rows: Vec<CgroupRow> = Vec::with_capacity(self.nodes.len());
        let mut pending: Vec<(usize, Option<usize>)> = Vec::new();
        pending.extend(
            children
                .remove(&None)
                .into_iter()
                .flatten()
                .map(|root| (root, None)),
        );
        while let Some((node, parent)) = pending.pop() {
            let row = rows.len();
            rows.push(self.row(node, parent, &rows));
            let inside = children.remove(&Some(node)).into_iter().flatten();
            pending.extend(inside.map(|child| (child, Some(row))));
        }
        count_descendants(&mut rows);
        rows
    }

    fn sum_subtrees(&mut self) {
        for index in (0..self.nodes.len()).rev() {
            let node = &mut self.nodes[index];
            node.subtree.add(&node.own);
            let (subtree, parent) = (node.subtree, node.parent);
            if let Some(parent) = parent {
                self.nodes[parent].subtree.add(&subtree);
            }
        }
    }

    fn row(&self, node: usize, parent: Option<usize>, rows: &[CgroupRow]) -> CgroupRow {
        let Node {
            name, own, subtree, ..
        } = &self.nodes[node];
        let above = parent.and_then(|parent| rows.get(parent));
        let path = match above {
            None => name.clone(),
            Some(above) => format!("{}/{name}", above.path.trim_end_matches('/')),
        };
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        CgroupRow {
            name: name.clone(),
            depth: above.map_or(0, |above| above.depth + 1),
            parent,
            descendants: 0,
            container: above.and_then(|_| container::of_cgroup(&segments)),
            own: *own,
            subtree: *subtree,
            path,
        }
    }
}

fn count_descendants(rows: &mut [CgroupRow]) {
    for index in (0..rows.len()).rev() {
        if let Some(parent) = rows[index].parent {
            rows[parent].descendants += rows[index].descendants + 1;
        }
    }
}
