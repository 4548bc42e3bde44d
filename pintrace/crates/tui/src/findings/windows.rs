//! Flush windows by process and cause: a table, and all figures of the row under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget};

use pintrace_model::field::window::COLUMNS;
use pintrace_model::field::{Field, Value};
use pintrace_model::finding::coverage::not_covered;
use pintrace_model::finding::text::checked;
use pintrace_model::finding::{FindingKind, WindowTotals};
use pintrace_model::snapshot::Snapshot;
use pintrace_text::wrap;

use super::super::columns::ListColumn;
use super::super::filter::Filter;
use super::super::flow::{self, pair};
use super::super::list::{List, RowStyle};
use super::super::message;
use super::super::queries::RowKind;
use super::super::theme::Theme;
use super::state::FindingsView;

/// Draws the flush windows and returns how many rows have room.
pub(super) fn draw(
    view: &FindingsView,
    snapshot: &Snapshot,
    filter: &Filter,
    (area, buffer): (Rect, &mut Buffer),
    theme: Theme,
) -> usize {
    let totals = |row: usize| snapshot.windows.get(*view.windows.get(row)?);
    let Some(selected) = totals(view.window.row) else {
        message::draw(&empty(snapshot, filter), 1, area, buffer, theme);
        return 0;
    };
    let width = usize::from(area.width);
    let mut below = figures(selected, width, theme);
    below.push(Line::default());
    let check = wrap(&checked(snapshot.flush_check), width);
    below.extend(check.into_iter().map(|words| Line::styled(words, theme.dim())));
    let height = usize::from(area.height);
    // Titles, at least three rows, and an empty line above the figures.
    let rows = if height >= below.len() + 5 {
        view.windows.len().min(height - below.len() - 2)
    } else {
        below.clear();
        height.saturating_sub(1)
    };
    let list_height = Constraint::Length(u16::try_from(rows + 1).unwrap_or(u16::MAX));
    let layout = Layout::vertical([list_height, Constraint::Length(1), Constraint::Fill(1)]);
    let [list_area, _, below_area] = layout.areas(area);
    let list = List {
        columns: &COLUMNS.iter().map(list_column).collect::<Vec<_>>(),
        sorted: None,
        entries: view.windows.len(),
        cursor: view.window.row,
        theme,
    };
    let room = list.draw(
        list_area,
        buffer,
        |_| RowStyle::default(),
        |row, index, _| {
            let text = totals(row).zip(COLUMNS.get(index));
            let text = text.map(|(totals, column)| (column.value)(totals).text());
            (text.unwrap_or_default(), Style::new())
        },
    );
    Paragraph::new(below).render(below_area, buffer);
    room
}

/// Returns all figures of the row with every digit, including figures whose column does not fit.
fn figures(totals: &WindowTotals, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let pairs: Vec<_> = COLUMNS
        .iter()
        .map(|column| {
            let value = match (column.value)(totals) {
                Value::Count(count) => count.to_string(),
                value => value.text(),
            };
            pair(&column.title.to_lowercase(), value, theme)
        })
        .collect();
    flow::lines(&pairs, width)
}

fn list_column(column: &Field<WindowTotals>) -> ListColumn {
    let (width, rank) = match column.id {
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
    ListColumn {
        title: column.title,
        width,
        rank,
        align: column.align,
    }
}

/// Returns the reason for an empty table.
fn empty(snapshot: &Snapshot, filter: &Filter) -> String {
    if !snapshot.windows.is_empty() {
        return filter.nothing_matches("flush window", RowKind::Window);
    }
    let none = "No write protection has waited for its TLB flush.";
    // Flush windows need the same hooks as the finding pin-in-flush-window.
    match not_covered(&snapshot.started) {
        Some(why) if !FindingKind::PinInFlushWindow.is_covered(&snapshot.started) => format!("{none} {why}"),
        _ => none.to_owned(),
    }
}
