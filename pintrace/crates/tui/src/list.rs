//! Draws a list: headings, the entries around the cursor, and a scrollbar if there are more entries.
//!
//! Only visible entries become text, because a process may have very many extents. Therefore the list has its own
//! offset instead of the offset of `TableState`.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::Text;
use ratatui::widgets::{Cell, HighlightSpacing, Row, StatefulWidget, Table, TableState};

use pintrace_model::field::Align;
use pintrace_text::{cut, pad_left, pad_right};

use super::columns::{FittingColumns, GUTTER, ListColumn};
use super::scroll;
use super::theme::Theme;

/// The sort column of a list: its index, and the mark after its title.
pub(crate) type SortMark = Option<(usize, &'static str)>;

/// A list of entries with a cursor.
#[derive(Debug)]
pub(crate) struct List<'a> {
    pub(crate) columns: &'a [ListColumn],
    pub(crate) sorted: SortMark,
    pub(crate) entries: usize,
    pub(crate) cursor: usize,
    pub(crate) theme: Theme,
}

/// The mark and the style of a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowStyle {
    /// One column of the terminal, to the right of the cursor.
    pub(crate) mark: &'static str,
    /// The style of the row unless it is under the cursor.
    pub(crate) style: Style,
}

/// The places of a list on the screen.
#[derive(Debug)]
pub(crate) struct DrawnList {
    /// Number of entries that fit.
    pub(crate) room: usize,
    /// The place of the title of each column, by the index of the column.
    pub(crate) titles: Vec<(usize, Rect)>,
    /// The place of each visible entry.
    pub(crate) rows: Vec<(usize, Rect)>,
}

/// Returns the places of the titles.
fn places_of_titles(fitting: &FittingColumns, area: Rect) -> Vec<(usize, Rect)> {
    // The first column has the mark of the row before its text, and the cursor before the mark.
    let mut x = area.x.saturating_add(1);
    let columns = fitting.columns.iter().enumerate();
    let place = |(place, (index, column)): (usize, &(usize, ListColumn))| {
        let mark = if place == 0 { GUTTER - 1 } else { 0 };
        let width = u16::try_from(column.width + mark).unwrap_or(u16::MAX);
        let title = Rect::new(x, area.y, width, 1).intersection(area);
        let gap = u16::try_from(fitting.gap).unwrap_or(1);
        x = x.saturating_add(width).saturating_add(gap);
        (*index, title)
    };
    columns.map(place).collect()
}

impl List<'_> {
    /// Draws the list and returns where its parts are. `cell` returns the text of an entry in a column, which may be
    /// shorter in a narrow column.
    pub(crate) fn draw(
        &self,
        area: Rect,
        buffer: &mut Buffer,
        row: impl Fn(usize) -> RowStyle,
        cell: impl Fn(usize, usize, &ListColumn) -> (String, Style),
    ) -> DrawnList {
        let room = usize::from(area.height.saturating_sub(1));
        let first = first_visible(self.cursor, self.entries, room);
        let entries_area = Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(1),
            ..area
        };
        let fitting = FittingColumns::choose(self.columns, usize::from(area.width));
        let bar = usize::from(self.entries > room);
        let last = fitting.columns.len().saturating_sub(1);
        let rows = (first..self.entries).take(room).map(|entry| {
            let selected = entry == self.cursor;
            let RowStyle { mark, style } = row(entry);
            let cells = fitting.columns.iter().enumerate();
            let cells = cells.map(|(place, (index, column))| {
                // The scrollbar covers the end of the last column.
                let width = column.width - if place == last { bar } else { 0 };
                let column = &ListColumn { width, ..*column };
                let (text, style) = cell(entry, *index, column);
                aligned(&text, column, (place == 0).then_some(mark)).style(style)
            });
            Row::new(cells.collect::<Vec<_>>()).style(if selected { self.theme.plain() } else { style })
        });
        let widths = fitting.columns.iter().enumerate().map(|(place, (_, column))| {
            let mark = if place == 0 { GUTTER - 1 } else { 0 };
            Constraint::Length(u16::try_from(column.width + mark).unwrap_or(u16::MAX))
        });
        let table = Table::new(rows, widths)
            .header(self.titles(&fitting))
            .column_spacing(u16::try_from(fitting.gap).unwrap_or(1))
            .row_highlight_style(self.theme.selected())
            .highlight_symbol(">")
            .highlight_spacing(HighlightSpacing::Always);
        let mut state = TableState::new().with_selected(self.cursor.checked_sub(first));
        StatefulWidget::render(table, area, buffer, &mut state);
        scroll::bar(entries_area, (first, self.entries), buffer, self.theme);
        DrawnList {
            room,
            titles: places_of_titles(&fitting, area),
            rows: (first..self.entries).zip(entries_area.rows()).collect(),
        }
    }

    /// Returns the headings. The heading of the sort column has a mark.
    fn titles(&self, fitting: &FittingColumns) -> Row<'static> {
        let cells = fitting.columns.iter().enumerate();
        let cells = cells.map(|(place, (index, column))| {
            let (title, style) = match self.sorted {
                Some((sorted, mark)) if sorted == *index => {
                    (Cow::Owned(format!("{}{mark}", column.title)), self.theme.accent())
                }
                _ => (Cow::Borrowed(column.title), self.theme.dim()),
            };
            aligned(&title, column, (place == 0).then_some(" ")).style(style)
        });
        Row::new(cells.collect::<Vec<_>>())
    }
}

/// Returns the aligned text of a cell. The first column has the mark of the row before the text.
fn aligned(text: &str, column: &ListColumn, mark: Option<&str>) -> Cell<'static> {
    if let Some(mark) = mark {
        let padded = match column.align {
            Align::Left => pad_right(text, column.width),
            Align::Right => pad_left(text, column.width),
        };
        return Cell::from(pad_right(mark, 1) + &padded);
    }
    let alignment = match column.align {
        Align::Left => Alignment::Left,
        Align::Right => Alignment::Right,
    };
    Cell::from(Text::from(cut(text, column.width).into_owned()).alignment(alignment))
}

/// Returns the mark of the sort column.
pub(crate) fn direction_mark(rising: bool) -> &'static str {
    if rising { "▴" } else { "▾" }
}

/// Returns the address range, or only the first address if the range does not fit.
pub(crate) fn address_range(address: u64, end: u64, width: usize) -> String {
    let range = format!("{address:x}-{end:x}");
    if range.len() > width {
        format!("{address:x}")
    } else {
        range
    }
}

/// Returns a range of offsets in a file, or only the first offset if the range does not fit. The word `offset`
/// distinguishes the range from addresses.
pub(crate) fn offset_range(offset: u64, end: u64, width: usize) -> String {
    let range = format!("offset {offset:#x}-{end:#x}");
    if range.len() > width {
        format!("offset {offset:#x}")
    } else {
        range
    }
}

/// Returns the first row on the screen. The row under the cursor is in the middle if possible.
fn first_visible(cursor: usize, rows: usize, room: usize) -> usize {
    cursor.saturating_sub(room / 2).min(rows.saturating_sub(room))
}
