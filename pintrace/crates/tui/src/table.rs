//! The table of processes, drawn from the catalogue's columns.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use pintrace_model::field::process::{COLUMNS, ProcessColumn};
use pintrace_model::field::{Unit, Value};
use pintrace_model::snapshot::Process;
use pintrace_model::text;

use super::app::App;
use super::cell;
use super::grid::{Grid, Track};
use super::theme::Theme;

/// Draws the table and returns how many rows it has room for.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer, theme: Theme) -> usize {
    let width = usize::from(area.width);
    let tracks: Vec<Track> = COLUMNS.iter().map(track).collect();
    let grid = Grid::fit(&tracks, width);
    let room = usize::from(area.height.saturating_sub(1));
    let sorted = COLUMNS.iter().position(|column| column.id == app.order.column);
    let sorted = sorted.map(|index| (index, direction(app, index)));
    buffer.set_line(area.x, area.y, &grid.titles(sorted, theme), area.width);
    if app.rows.is_empty() {
        empty(app, area, buffer, theme);
        return room;
    }
    let first = first_visible(app.cursor, app.rows.len(), room);
    let visible = app.rows.iter().enumerate().skip(first).take(room);
    for (y, (row, index)) in (area.y + 1..).zip(visible) {
        let Some(process) = app.shown.processes.get(*index) else {
            continue;
        };
        let line = line(process, row == app.cursor, &grid, theme);
        buffer.set_line(area.x, y, &line, area.width);
    }
    room
}

/// The row that stands first, so that the cursor is on the screen, in the middle where it can be.
pub(super) fn first_visible(cursor: usize, rows: usize, room: usize) -> usize {
    cursor.saturating_sub(room / 2).min(rows.saturating_sub(room))
}

fn line(process: &Process, selected: bool, grid: &Grid, theme: Theme) -> Line<'static> {
    let ended = process.ended.is_some();
    let marks = match (selected, ended) {
        (true, true) => ">†",
        (true, false) => "> ",
        (false, true) => " †",
        (false, false) => "",
    };
    let style = match (selected, ended) {
        (true, _) => theme.selected(),
        (false, true) => theme.dim(),
        (false, false) => theme.plain(),
    };
    grid.line(marks, style, |index, track| {
        COLUMNS
            .get(index)
            .map_or_else(Default::default, |column| match column.id {
                "comm" => (command(process, track.columns), Style::new()),
                _ => (shown(column, process), Style::new()),
            })
    })
}

fn shown(column: &ProcessColumn, process: &Process) -> String {
    let text = (column.value)(process).text();
    // A share of nothing.
    if text.is_empty() {
        Value::Absent.text()
    } else {
        text
    }
}

/// The name, and where there is room the arguments.
fn command(process: &Process, columns: usize) -> String {
    let name = text::printable(&process.comm);
    match process.cmdline.split_once(' ') {
        Some((_, arguments)) if cell::width(&name) + 8 < columns => {
            format!("{name} {}", text::printable(arguments))
        }
        _ => name,
    }
}

fn track(column: &'static ProcessColumn) -> Track {
    let columns = match (column.id, column.unit) {
        ("comm", _) => 12,
        // The largest pid is 4194304.
        ("pid" | "oldest", _) => 7,
        ("subsystem", _) => 11,
        ("state", _) => 9,
        (_, Unit::Bytes) => 8,
        (_, Unit::Share) => 5,
        // Six hold the longest count, and the heading with its mark may need more.
        _ => (column.title.len() + 1).max(6),
    };
    Track {
        title: column.title,
        columns,
        rank: column.drop_rank,
        align: column.align,
    }
}

/// Whether values rise or fall from the first row on.
fn direction(app: &App, column: usize) -> &'static str {
    let words = COLUMNS.get(column).is_some_and(|column| {
        matches!((column.value)(&Process::default()), Value::Text(_) | Value::Id(_))
            || column.unit == Unit::Name
    });
    if words == app.order.reversed { "▾" } else { "▴" }
}

/// Why there is nothing to see.
fn empty(app: &App, area: Rect, buffer: &mut Buffer, theme: Theme) {
    let older = app.shown.balance.preexisting_held;
    let message = if !app.filter.text.is_empty() {
        format!(
            "No process matches “{}”. Esc clears the filter.",
            text::printable(&app.filter.text)
        )
    } else if !app.shown.processes.is_empty() {
        "All processes that pinned have ended. e shows them.".to_owned()
    } else if older > 0 {
        format!("No process has pinned memory yet. {older} pages are held by pins taken before this trace.")
    } else {
        "No process has pinned memory yet.".to_owned()
    };
    let lines = cell::wrapped(&message, usize::from(area.width).saturating_sub(4));
    for (y, line) in (area.y + 2..area.bottom()).zip(lines) {
        buffer.set_line(
            area.x + 2,
            y,
            &Line::from(Span::styled(line, theme.dim())),
            area.width,
        );
    }
}
