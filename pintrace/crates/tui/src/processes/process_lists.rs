//! The lists of one process: extents with the kernel stack of the pin call, and threads.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use pintrace_events::units::Nanos;
use pintrace_model::snapshot::{OpenExtent, Process, Thread};
use pintrace_model::text;

use super::super::columns::ListColumn;
use super::super::list::{List, RowStyle, address_range};
use super::super::stack;
use super::super::theme::Theme;
use super::state::{OpenProcess, ProcessTab};

const EXTENT: &[ListColumn] = &[
    ListColumn::right("AGE", 7, 0),
    ListColumn::right("HELD", 6, 0),
    ListColumn::right("OF", 6, 3),
    ListColumn::right("BYTES", 8, 2),
    ListColumn::left("SUBSYSTEM", 10, 1),
    ListColumn::right("TID", 7, 4),
    ListColumn::left("ADDRESS", 25, 0),
];

/// Columns for narrow lists, in which only the first address of a range fits.
const EXTENT_NARROW: &[ListColumn] = &[
    ListColumn::right("AGE", 7, 0),
    ListColumn::right("HELD", 5, 0),
    ListColumn::left("SUBSYSTEM", 10, 1),
    ListColumn::left("ADDRESS", 12, 0),
];

/// Minimum width of a list with whole ranges.
const EXTENT_WIDTH: u16 = 50;

const THREAD: &[ListColumn] = &[
    ListColumn::right("TID", 7, 0),
    ListColumn::right("PAGES", 6, 0),
    ListColumn::right("ACQUIRED", 9, 1),
    ListColumn::right("RELEASED", 9, 2),
    ListColumn::left("COMMAND", 12, 0),
];

/// Draws the list of the open tab and returns how many entries fit.
pub(super) fn draw(
    process: &Process,
    open: OpenProcess,
    now: Nanos,
    (area, buffer): (Rect, &mut Buffer),
    theme: Theme,
) -> usize {
    let (columns, entries) = match open.tab {
        ProcessTab::Extents if area.width < EXTENT_WIDTH => (EXTENT_NARROW, process.open_extents.len()),
        ProcessTab::Extents => (EXTENT, process.open_extents.len()),
        ProcessTab::Threads => (THREAD, process.threads.len()),
    };
    let list = List {
        columns,
        sorted: None,
        entries,
        cursor: open.cursor,
        theme,
    };
    list.draw(
        area,
        buffer,
        |_| RowStyle::default(),
        |entry, _, column| {
            let text = match open.tab {
                ProcessTab::Extents => process
                    .open_extents
                    .get(entry)
                    .map(|extent| of_extent(extent, now, column)),
                ProcessTab::Threads => process.threads.get(entry).map(|thread| of_thread(thread, column)),
            };
            (text.unwrap_or_default(), Style::new())
        },
    )
}

fn of_extent(extent: &OpenExtent, now: Nanos, column: &ListColumn) -> String {
    match column.title {
        "AGE" => text::span(now.since(extent.since)),
        "HELD" => text::count(extent.pages_held),
        "OF" => text::count(extent.pages),
        "BYTES" => text::bytes(extent.bytes_held),
        "SUBSYSTEM" => extent.subsystem.to_string(),
        "TID" => extent.tid.0.to_string(),
        _ => address_range(extent.address, extent.end, column.width),
    }
}

fn of_thread(thread: &Thread, column: &ListColumn) -> String {
    match column.title {
        "TID" => thread.tid.0.to_string(),
        "PAGES" => text::count(thread.pages_held),
        "ACQUIRED" => text::count(thread.acquired),
        "RELEASED" => text::count(thread.released),
        _ => text::printable(&thread.comm),
    }
}

/// Returns the stack of the extent under the cursor.
pub(super) fn stack(process: &Process, open: OpenProcess, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let extent = match open.tab {
        ProcessTab::Extents => process.open_extents.get(open.cursor),
        ProcessTab::Threads => None,
    };
    match extent {
        None => Vec::new(),
        Some(extent) if extent.stack.is_empty() => vec![Line::styled("  stack unknown", theme.dim())],
        Some(extent) => stack::lines(&extent.stack, 2, width, theme),
    }
}
