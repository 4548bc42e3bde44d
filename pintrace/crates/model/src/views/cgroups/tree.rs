//! The tree of cgroups while it is built.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use super::super::container;
use super::{CgroupRow, CgroupSums, UNKNOWN};

/// Most levels of the tree. Deeper parts of a path are one level together.
const LEVELS: usize = 32;
/// Most cgroups of the tree. Processes of further cgroups count in the next higher cgroup.
const MOST: usize = 1 << 17;

/// The cgroups so far.
#[derive(Default)]
pub(super) struct Tree {
    /// A parent stands before its children.
    rows: Vec<CgroupRow>,
    /// By parent and name.
    by_name: HashMap<(Option<usize>, String), usize>,
    /// By the path of a process: many processes share a cgroup.
    by_path: HashMap<String, usize>,
}

impl Tree {
    /// Returns the sums of the processes of a cgroup.
    pub(super) fn own(&mut self, path: &str) -> &mut CgroupSums {
        let row = self.row(path);
        &mut self.rows[row].own
    }

    /// Returns the row of a path, and adds all rows above it.
    fn row(&mut self, path: &str) -> usize {
        if let Some(row) = self.by_path.get(path) {
            return *row;
        }
        let row = if path.is_empty() {
            self.child(None, UNKNOWN)
        } else {
            let root = self.child(None, "/");
            let trimmed = path.trim_matches('/');
            let parts = trimmed.splitn(LEVELS - 1, '/').filter(|part| !part.is_empty());
            parts.fold(root, |parent, part| self.child(Some(parent), part))
        };
        self.by_path.insert(path.to_owned(), row);
        row
    }

    /// Returns a child of a row; the row itself if the tree is full.
    fn child(&mut self, parent: Option<usize>, name: &str) -> usize {
        let key = (parent, name.to_owned());
        if let Some(row) = self.by_name.get(&key) {
            return *row;
        }
        if let (Some(parent), true) = (parent, self.rows.len() >= MOST) {
            return parent;
        }
        let above = parent.map(|parent| &self.rows[parent]);
        let path = match above {
            None => name.to_owned(),
            Some(above) => format!("{}/{name}", above.path.trim_end_matches('/')),
        };
        self.rows.push(CgroupRow {
            name: name.to_owned(),
            depth: above.map_or(0, |above| above.depth + 1),
            parent,
            container: above.and_then(|_| {
                let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
                container::of_cgroup(&segments)
            }),
            path,
            ..CgroupRow::default()
        });
        self.by_name.insert(key, self.rows.len() - 1);
        self.rows.len() - 1
    }

    /// Returns the rows, each followed by the rows inside it, those with most pages first.
    pub(super) fn rows(mut self) -> Vec<CgroupRow> {
        for index in (0..self.rows.len()).rev() {
            let row = &mut self.rows[index];
            row.subtree.add(&row.own);
            let (parent, subtree, descendants) = (row.parent, row.subtree, row.descendants);
            if let Some(parent) = parent {
                self.rows[parent].subtree.add(&subtree);
                self.rows[parent].descendants += descendants + 1;
            }
        }
        sorted(self.rows, |one, two| {
            let by_pages = two.subtree.pages_held.cmp(&one.subtree.pages_held);
            by_pages.then_with(|| one.name.cmp(&two.name))
        })
    }
}

/// Sorts the cgroups that have one parent. `compare` compares two of them. Each cgroup stays followed by the cgroups inside
/// it.
#[must_use]
pub fn sorted(
    mut rows: Vec<CgroupRow>,
    compare: impl Fn(&CgroupRow, &CgroupRow) -> Ordering,
) -> Vec<CgroupRow> {
    let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        children.entry(row.parent).or_default().push(index);
    }
    for siblings in children.values_mut() {
        // Reversed, because the first row is taken from the end.
        siblings.sort_by(|one, two| compare(&rows[*two], &rows[*one]));
    }
    let mut sorted: Vec<CgroupRow> = Vec::with_capacity(rows.len());
    let roots = children.remove(&None).into_iter().flatten();
    let mut pending: Vec<(usize, Option<usize>)> = roots.map(|root| (root, None)).collect();
    while let Some((index, parent)) = pending.pop() {
        let place = sorted.len();
        sorted.push(CgroupRow {
            parent,
            ..std::mem::take(&mut rows[index])
        });
        let inside = children.remove(&Some(index)).into_iter().flatten();
        pending.extend(inside.map(|child| (child, Some(place))));
    }
    sorted
}
