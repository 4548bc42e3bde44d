//! The tree of cgroups while it is built.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::super::container;
use super::{CgroupRow, CgroupSums, UNKNOWN};

/// Most levels of the tree. Deeper parts of a path are one level together.
const LEVELS: usize = 32;
/// Most cgroups of the tree. Processes of further cgroups count in the next higher cgroup.
const MOST: usize = 1 << 17;

/// A tree that is being built. A parent stands before its children.
#[derive(Default)]
pub(super) struct Tree {
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
    /// Returns the sums of the processes of a cgroup.
    pub(super) fn own(&mut self, path: &str) -> &mut CgroupSums {
        let node = self.node(path);
        &mut self.nodes[node].own
    }

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

    /// Returns the rows, each followed by the rows inside it, those with most pages first.
    pub(super) fn rows(mut self) -> Vec<CgroupRow> {
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
