//! The tree of cgroups.

use std::cmp::Ordering;

use ratatui::text::Line;

use pintrace_events::units::Nanos;
use pintrace_model::field::Field;
use pintrace_model::field::cgroup;
use pintrace_model::field::process;
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_model::text;
use pintrace_model::views::cgroups::{self, CgroupRow, UNKNOWN};
use pintrace_text::cut;

use super::super::filter::{Filter, matches};
use super::super::list::RowStyle;
use super::super::table::{self, Scene, TableRow, TreeState};
use super::super::view::View;
use super::figures::{self, figures, heading};

/// Most processes that are listed.
const MOST: usize = 50;

/// A cgroup, with what the tree shows of it.
#[derive(Clone, Debug)]
pub(crate) struct CgroupTableRow {
    row: CgroupRow,
    /// `+` if the cgroups inside are hidden, `-` if they are shown, a space without cgroups inside.
    mark: &'static str,
}

impl TableRow for CgroupTableRow {
    type Item = CgroupRow;
    type Identity = String;

    const VIEW: View = View::Cgroups;
    /// No column: the rows are in the order of the tree.
    const DEFAULT_SORT: &'static str = "tree";

    fn columns() -> Vec<&'static Field<CgroupRow>> {
        cgroup::COLUMNS.iter().collect()
    }

    fn rows(snapshot: &Snapshot, _baseline: Option<&Snapshot>) -> Vec<Self> {
        let rows = cgroups::of(snapshot).into_iter();
        rows.map(|row| Self { row, mark: " " }).collect()
    }

    fn item(&self) -> &CgroupRow {
        &self.row
    }

    fn identity(&self) -> String {
        self.row.path.clone()
    }

    fn rank(column: &Field<CgroupRow>, one: &CgroupRow, two: &CgroupRow) -> Ordering {
        cgroup::rank(column, one, two)
    }

    /// `--pid` chooses processes, and no cgroups.
    fn admits(&self, filter: &Filter, snapshot: &Snapshot) -> bool {
        matches(&filter.queries().cgroups, &self.row, snapshot.time)
    }

    fn arrange_tree(rows: Vec<Self>, tree: &TreeState) -> Vec<Self> {
        let mut shown: Vec<Self> = Vec::with_capacity(rows.len());
        let mut folded: Option<String> = None;
        for mut row in rows {
            let path = row.row.path.as_str();
            if let Some(zoomed) = tree.zoomed()
                && path != zoomed
                && !is_inside(path, zoomed)
            {
                continue;
            }
            if folded.as_ref().is_some_and(|folded| is_inside(path, folded)) {
                continue;
            }
            let is_folded = tree.is_folded(path);
            folded = is_folded.then(|| path.to_owned());
            row.mark = match (row.row.descendants, is_folded) {
                (0, _) => " ",
                (_, true) => "+",
                (_, false) => "-",
            };
            shown.push(row);
        }
        shown
    }

    fn tree_path(&self) -> Option<&str> {
        Some(&self.row.path)
    }

    fn width(column: &Field<CgroupRow>) -> usize {
        match column.id {
            "container" => 22,
            "cgroup" => 20,
            _ => table::default_width(column),
        }
    }

    fn cell(&self, column: &Field<CgroupRow>, _width: usize, now: Nanos) -> String {
        if column.id == "cgroup" {
            let indent = "  ".repeat(self.row.depth.min(16));
            format!("{indent}{} {}", self.mark, text::printable(&self.row.name))
        } else {
            table::text(&(column.value)(&self.row).at(now))
        }
    }

    fn style(&self, scene: &Scene<'_>) -> RowStyle {
        RowStyle {
            mark: if self.row.subtree.dangers > 0 { "!" } else { "" },
            style: if self.row.subtree.pages_held == 0 {
                scene.theme.dim()
            } else {
                scene.theme.plain()
            },
        }
    }

    fn detail(&self, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
        let Scene { snapshot, theme, .. } = *scene;
        let row = &self.row;
        let mut lines = vec![Line::styled(
            cut(&text::printable(&row.path), width).into_owned(),
            theme.strong(),
        )];
        if let Some(container) = &row.container {
            lines.push(Line::styled(
                text::printable(&container.to_string()),
                theme.plain(),
            ));
        }
        let columns: Vec<_> = cgroup::COLUMNS.iter().collect();
        lines.extend(figures(&columns, row, snapshot.time, width, theme));
        let mut inside: Vec<&Process> = snapshot
            .processes
            .iter()
            .map(AsRef::as_ref)
            .filter(|process: &&Process| process.pages_held > 0 && belongs(&process.cgroup, &row.path))
            .collect();
        if let Some(by_pages) = process::column(process::DEFAULT_SORT) {
            inside.sort_by(|one, two| process::rank(by_pages, one, two));
        }
        inside.truncate(MOST);
        if !inside.is_empty() {
            lines.extend(heading("Processes", theme));
            let columns: Vec<_> = process::COLUMNS.iter().collect();
            lines.extend(figures::table(&columns, &inside, snapshot.time, width, theme));
        }
        lines
    }

    fn empty(_scene: &Scene<'_>) -> String {
        "No process has pinned memory yet.".to_owned()
    }
}

/// Returns true if a cgroup is inside another one.
fn is_inside(path: &str, outer: &str) -> bool {
    let outer = outer.trim_end_matches('/');
    path.strip_prefix(outer)
        .is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

/// Returns true if the cgroup of a process is a row's cgroup or inside it.
fn belongs(cgroup: &str, row: &str) -> bool {
    match (cgroup, row) {
        ("", UNKNOWN) => true,
        ("", _) | (_, UNKNOWN) => false,
        _ => cgroup.trim_end_matches('/') == row.trim_end_matches('/') || is_inside(cgroup, row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_contains_all_and_a_name_is_no_prefix() {
        assert!(is_inside("/a/b", "/a") && is_inside("/a", "/"));
        assert!(!is_inside("/ab", "/a") && !is_inside("/a", "/a") && !is_inside("/", "/"));
        assert!(belongs("/a", "/a") && belongs("/", "/") && belongs("", UNKNOWN));
        assert!(!belongs("", "/") && !belongs("/a", UNKNOWN));
    }
}
