//! Pending-flush windows by process and cause: a table, and every figure of the row under the cursor.

use ratatui::style::Style;
use ratatui::text::Line;

use pintrace_model::field::Value;
use pintrace_model::field::window::{COLUMNS, WindowColumn};
use pintrace_model::finding::coverage::not_covered;
use pintrace_model::finding::text::checked;
use pintrace_model::finding::{FindingKind, WindowTotals};
use pintrace_model::snapshot::Snapshot;

use super::super::cell;
use super::super::grid::{Grid, Track};
use super::super::line_writer::LineWriter;
use super::super::order::Filter;
use super::super::pairs::pairs;
use super::super::table::first_visible;
use super::super::theme::Theme;
use super::screen::{indented, nothing_matches};
use super::state::FindingsView;

/// Draws the windows and returns how many rows there is room for.
pub(super) fn draw(
    view: &FindingsView,
    snapshot: &Snapshot,
    filter: &Filter,
    writer: &mut LineWriter<'_>,
    (width, theme): (usize, Theme),
) -> usize {
    let selected = view
        .windows
        .get(view.window)
        .and_then(|index| snapshot.windows.get(*index));
    let Some(selected) = selected else {
        writer.skip();
        writer.lines(&indented(&empty(snapshot, filter), width, theme));
        return 0;
    };
    let check: Vec<Line<'_>> = cell::wrapped(&checked(snapshot.flush_check), width)
        .into_iter()
        .map(|words| Line::styled(words, theme.dim()))
        .collect();
    let mut below = figures(selected, width, theme);
    below.push(Line::default());
    below.extend(check);
    let left = writer.left();
    // Headings, at least three rows, and an empty line.
    let divided = left >= below.len() + 5;
    let room = if divided {
        view.windows.len().min(left - below.len() - 2)
    } else {
        left.saturating_sub(1)
    };
    let grid = Grid::fit(&COLUMNS.iter().map(track).collect::<Vec<_>>(), width);
    writer.line(&grid.titles(None, theme));
    let first = first_visible(view.window, view.windows.len(), room);
    for (row, index) in view.windows.iter().enumerate().skip(first).take(room) {
        if let Some(all) = snapshot.windows.get(*index) {
            writer.line(&line(all, row == view.window, &grid, theme));
        }
    }
    if divided {
        writer.skip();
        writer.lines(&below);
    }
    room
}

fn line(all: &WindowTotals, selected: bool, grid: &Grid, theme: Theme) -> Line<'static> {
    let (marks, style) = if selected {
        ("> ", theme.selected())
    } else {
        ("", theme.plain())
    };
    grid.line(marks, style, |index, _| {
        let text = COLUMNS.get(index).map(|column| (column.value)(all).text());
        (text.unwrap_or_default(), Style::new())
    })
}

/// The row again, with what did not fit there and every digit.
fn figures(all: &WindowTotals, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let texts = COLUMNS.iter().map(|column| {
        let value = match (column.value)(all) {
            Value::Count(count) => count.to_string(),
            value => value.text(),
        };
        (column.title.to_lowercase(), value)
    });
    pairs(texts, width, theme)
}

fn track(column: &'static WindowColumn) -> Track {
    let (columns, rank) = match column.id {
        "pid" => (7, 1),
        // The longest name.
        "cause" => (12, 0),
        "max" => (6, 0),
        "p99" | "faults" => (6, 2),
        "cows" => (6, 3),
        "pins" => (5, 3),
        "pages" => (6, 4),
        "p50" => (6, 5),
        _ => (7, 0),
    };
    Track {
        title: column.title,
        columns,
        rank,
        align: column.align,
    }
}

/// Why there is nothing to see.
fn empty(snapshot: &Snapshot, filter: &Filter) -> String {
    if !snapshot.windows.is_empty() {
        return nothing_matches("window", filter);
    }
    let none = "No write protection has waited for its flush.";
    // A window is looked for exactly where pins in it are.
    match not_covered(&snapshot.started) {
        Some(why) if !FindingKind::PinInFlushWindow.is_covered(&snapshot.started) => format!("{none} {why}"),
        _ => none.to_owned(),
    }
}
