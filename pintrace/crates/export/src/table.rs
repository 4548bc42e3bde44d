//! The table of `top --once`: header lines, then a row a process.

use pintrace_model::field::process::{COLUMNS, Column, DEFAULT_SORT, column, rank};
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_model::text;

use super::{grid, header};

/// How a table is to look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns of the terminal.
    pub width: usize,
    /// The column to sort by; the default where `None`.
    pub sort: Option<&'static Column>,
    /// Smallest first.
    pub reverse: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            width: 80,
            sort: None,
            reverse: false,
        }
    }
}

/// The table, with a line end after each line. Ended processes that hold nothing are left out:
/// `report` has them.
#[must_use]
pub fn render(snapshot: &Snapshot, look: Look) -> String {
    let mut lines = vec![
        format!(
            "pintrace {}   {}",
            text::printable(&snapshot.started.tool),
            header::kernel(snapshot)
        ),
        header::truth(snapshot),
        format!("{}   {}", header::lost(snapshot), header::probes(snapshot)),
    ];
    lines.extend(header::missing(snapshot));
    lines.extend(header::untraced(snapshot));
    let mut lines: Vec<_> = lines
        .iter()
        .flat_map(|line| grid::fitted(line, look.width))
        .collect();
    lines.push(String::new());
    let rows = rows(snapshot, look);
    if rows.is_empty() {
        let none = if snapshot.started.witness == "state" {
            "No process holds pinned memory."
        } else {
            "No process has pinned memory since the start."
        };
        lines.push(none.into());
    } else {
        let columns: Vec<&Column> = COLUMNS.iter().collect();
        lines.extend(grid::lines(&columns, &rows, look.width, grid::Digits::Few));
    }
    lines.join("\n") + "\n"
}

fn rows(snapshot: &Snapshot, look: Look) -> Vec<&Process> {
    let shown = |process: &&Process| process.pages_held > 0 || process.ended.is_none();
    let mut rows: Vec<&Process> = snapshot.processes.iter().filter(shown).collect();
    if let Some(by) = look.sort.or_else(|| column(DEFAULT_SORT)) {
        rows.sort_by(|one, two| rank(by, one, two));
    }
    if look.reverse {
        rows.reverse();
    }
    rows
}
