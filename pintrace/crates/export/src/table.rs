//! Renders the table of `top --once`: header lines, then one row for each process.

use std::sync::Arc;

use pintrace_model::field::grid;
use pintrace_model::field::process::{COLUMNS, DEFAULT_SORT, ProcessColumn, column, rank};
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_model::text;

use super::{header, own_cost};

/// Options of a table.
#[derive(Clone, Copy, Debug)]
pub struct TableOptions {
    /// The width of the terminal in columns.
    pub width: usize,
    /// The column to sort by; `None` for the default.
    pub sort: Option<&'static ProcessColumn>,
    /// Reverses the order of the rows.
    pub reverse: bool,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            width: 80,
            sort: None,
            reverse: false,
        }
    }
}

/// Returns the table, with a line end after each line. The table has no row for an ended process that holds no pages;
/// `report` lists such processes.
#[must_use]
pub fn render(snapshot: &Snapshot, options: TableOptions) -> String {
    let mut lines = vec![
        format!(
            "pintrace {}   {}",
            text::printable(&snapshot.started.tool),
            header::kernel(snapshot)
        ),
        header::balance(snapshot),
        format!("{}   {}", header::lost(snapshot), header::probes(snapshot)),
    ];
    lines.extend(header::missing(snapshot));
    lines.extend(header::untraced(snapshot));
    let mut lines: Vec<_> = lines
        .iter()
        .flat_map(|line| grid::fitted(line, options.width))
        .collect();
    lines.push(String::new());
    let rows = rows(snapshot, options);
    if let Some(selection) = &snapshot.selection {
        lines.extend(grid::fitted(&selection.sentence(), options.width));
        lines.push(String::new());
    }
    if rows.is_empty() && snapshot.selection.is_some() {
        lines.pop();
    } else if rows.is_empty() {
        let message = if snapshot.started.mode == "scan" {
            "No process holds pinned memory."
        } else {
            "No process has pinned memory since the start."
        };
        lines.push(message.into());
    } else {
        let columns: Vec<&ProcessColumn> = COLUMNS.iter().collect();
        lines.extend(grid::lines(
            &columns,
            &rows,
            snapshot.time,
            options.width,
            grid::Digits::Few,
        ));
    }
    lines.extend(own_cost::lines(snapshot, options.width));
    lines.join("\n") + "\n"
}

/// Returns true for a process that the table lists.
#[must_use]
pub fn is_listed(process: &Process) -> bool {
    process.pages_held > 0 || process.ended.is_none()
}

fn rows(snapshot: &Snapshot, options: TableOptions) -> Vec<&Process> {
    let processes = snapshot.processes.iter().map(Arc::as_ref);
    let mut rows: Vec<&Process> = processes.filter(|process| is_listed(process)).collect();
    if let Some(by) = options.sort.or_else(|| column(DEFAULT_SORT)) {
        rows.sort_by(|one, two| rank(by, one, two));
    }
    if options.reverse {
        rows.reverse();
    }
    rows
}
