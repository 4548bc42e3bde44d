//! The findings around the cursor, below their headings.

use ratatui::style::Style;
use ratatui::text::Line;

use pintrace_events::units::Nanos;
use pintrace_model::field::Unit;
use pintrace_model::field::finding_column::{COLUMNS, FindingColumn, named};
use pintrace_model::finding::Finding;
use pintrace_model::snapshot::Snapshot;

use super::super::grid::{Grid, Track};
use super::super::table::first_visible;
use super::super::theme::Theme;
use super::finding_detail::ago;
use super::state::FindingsView;

/// Headings, and as many findings as there is room for.
pub(super) fn lines(
    snapshot: &Snapshot,
    view: &FindingsView,
    (width, room): (usize, usize),
    theme: Theme,
) -> Vec<Line<'static>> {
    let tracks: Vec<Track> = COLUMNS.iter().map(track).collect();
    let grid = Grid::fit(&tracks, width);
    let sorted = COLUMNS.iter().position(|column| column.id == view.order.column);
    let sorted = sorted.map(|index| (index, direction(view)));
    let mut lines = vec![grid.titles(sorted, theme)];
    let first = first_visible(view.cursor, view.rows.len(), room);
    let visible = view.rows.iter().enumerate().skip(first).take(room);
    let found = visible.filter_map(|(row, index)| Some((row, snapshot.findings.get(*index)?)));
    lines.extend(found.map(|(row, found)| line(found, row == view.cursor, snapshot.time, &grid, theme)));
    lines
}

fn line(found: &Finding, selected: bool, now: Nanos, grid: &Grid, theme: Theme) -> Line<'static> {
    let (marks, style) = if selected {
        ("> ", theme.selected())
    } else {
        ("", theme.plain())
    };
    grid.line(marks, style, |index, track| {
        let Some(column) = COLUMNS.get(index) else {
            return Default::default();
        };
        let own = match column.id {
            "severity" => theme.severity(found.severity),
            _ => Style::new(),
        };
        (shown(column, found, now, track.columns), own)
    })
}

fn shown(column: &FindingColumn, found: &Finding, now: Nanos, columns: usize) -> String {
    match column.id {
        "last" => ago(found.last, now),
        "address" if found.end > 0 => {
            let range = format!("{:x}-{:x}", found.address, found.end);
            if range.len() > columns {
                format!("{:x}", found.address)
            } else {
                range
            }
        }
        _ => (column.value)(found).text(),
    }
}

fn track(column: &'static FindingColumn) -> Track {
    let columns = match column.id {
        // The longest names.
        "kind" => 21,
        "trigger" => 12,
        "pid" | "comm" => 7,
        "address" => 27,
        // Six hold the longest count and span, and a heading with its mark.
        _ => 6,
    };
    Track {
        title: column.title,
        columns,
        rank: column.drop_rank,
        align: column.align,
    }
}

/// Whether values rise or fall from the first row on.
fn direction(view: &FindingsView) -> &'static str {
    let rising = match view.order.column {
        // The latest stand first: how long ago that was rises.
        "pid" | "last" | "address" => true,
        // From the worst on.
        "severity" => false,
        column => named(column).is_some_and(|column| column.unit == Unit::Name),
    };
    if rising == view.order.reversed {
        "▾"
    } else {
        "▴"
    }
}
