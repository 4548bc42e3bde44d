//! The parts of a process in its detail: extents with the stack that pinned them, and threads.

use ratatui::style::Style;
use ratatui::text::Line;

use pintrace_model::snapshot::{OpenExtent, Process, Thread};
use pintrace_model::text;

use super::app::{Detail, List};
use super::grid::{Grid, Track};
use super::stack;
use super::table::first_visible;
use super::theme::Theme;

const EXTENT: &[Track] = &[
    Track::right("AGE", 7, 0),
    Track::right("HELD", 6, 0),
    Track::right("OF", 6, 3),
    Track::right("BYTES", 8, 2),
    Track::left("SUBSYSTEM", 10, 1),
    Track::right("TID", 7, 4),
    Track::left("ADDRESS", 25, 0),
];

/// Where an address range does not fit, its beginning does.
const EXTENT_NARROW: &[Track] = &[
    Track::right("AGE", 7, 0),
    Track::right("HELD", 6, 0),
    Track::left("SUBSYSTEM", 10, 1),
    Track::left("ADDRESS", 12, 0),
];

const THREAD: &[Track] = &[
    Track::right("TID", 7, 0),
    Track::right("PAGES", 6, 0),
    Track::right("ACQUIRED", 9, 1),
    Track::right("RELEASED", 9, 2),
    Track::left("COMMAND", 12, 0),
];

/// Columns and lines.
type Size = (usize, usize);

/// The extents around the cursor, below their headings.
pub(super) fn extents(extents: &[OpenExtent], cursor: usize, size: Size, theme: Theme) -> Vec<Line<'static>> {
    let tracks = if size.0 < 50 { EXTENT_NARROW } else { EXTENT };
    list(
        tracks,
        extents,
        cursor,
        size,
        theme,
        |extent, track| match track.title {
            "AGE" => text::span(extent.age),
            "HELD" => text::count(extent.pages_held),
            "OF" => text::count(extent.pages),
            "BYTES" => text::bytes(extent.bytes_held),
            "SUBSYSTEM" => extent.subsystem.to_string(),
            "TID" => extent.tid.0.to_string(),
            _ => {
                let range = format!("{:x}-{:x}", extent.address, extent.end);
                if range.len() > track.columns {
                    format!("{:x}", extent.address)
                } else {
                    range
                }
            }
        },
    )
}

/// The threads around the cursor, below their headings.
pub(super) fn threads(threads: &[Thread], cursor: usize, size: Size, theme: Theme) -> Vec<Line<'static>> {
    list(
        THREAD,
        threads,
        cursor,
        size,
        theme,
        |thread, track| match track.title {
            "TID" => thread.tid.0.to_string(),
            "PAGES" => text::count(thread.pages_held),
            "ACQUIRED" => text::count(thread.acquired),
            "RELEASED" => text::count(thread.released),
            _ => text::printable(&thread.comm),
        },
    )
}

/// Only what is visible is made into text: a process may have very many extents.
fn list<T>(
    tracks: &[Track],
    entries: &[T],
    cursor: usize,
    (width, room): Size,
    theme: Theme,
    cell: fn(&T, &Track) -> String,
) -> Vec<Line<'static>> {
    let grid = Grid::fit(tracks, width);
    let mut lines = vec![grid.titles(None, theme)];
    let first = first_visible(cursor, entries.len(), room);
    for (index, entry) in entries.iter().enumerate().skip(first).take(room) {
        let selected = index == cursor;
        let (marks, style) = if selected {
            ("> ", theme.selected())
        } else {
            ("", theme.plain())
        };
        lines.push(grid.line(marks, style, |_, track| (cell(entry, track), Style::new())));
    }
    lines
}

/// The stack of the extent under the cursor, innermost frame first.
pub(super) fn stack(process: &Process, detail: Detail, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let extents = if detail.list == List::Extents {
        process.open_extents.as_slice()
    } else {
        &[]
    };
    let Some(extent) = extents.get(detail.cursor) else {
        return Vec::new();
    };
    if extent.stack.is_empty() {
        return vec![Line::styled("  stack not known", theme.dim())];
    }
    stack::lines(&extent.stack, 2, width, theme)
}
