//! The list of findings.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use pintrace_events::units::Nanos;
use pintrace_model::field::finding_column::{COLUMNS, named};
use pintrace_model::field::{Field, Unit};
use pintrace_model::finding::Finding;
use pintrace_model::snapshot::Snapshot;

use super::super::columns::ListColumn;
use super::super::list::{List, RowStyle, SortMark, address_range, direction_mark, offset_range};
use super::super::order::Order;
use super::super::theme::Theme;
use super::finding_detail::ago;
use super::state::FindingsView;

/// Draws the list.
pub(super) fn draw(
    view: &FindingsView,
    snapshot: &Snapshot,
    (area, buffer): (Rect, &mut Buffer),
    theme: Theme,
) {
    let list = List {
        columns: &COLUMNS.iter().map(list_column).collect::<Vec<_>>(),
        sorted: sort_mark(view.order),
        entries: view.rows.len(),
        cursor: view.cursor.row,
        theme,
    };
    let finding = |row: usize| snapshot.findings.get(*view.rows.get(row)?);
    list.draw(
        area,
        buffer,
        |_| RowStyle::default(),
        |row, index, list_column| {
            let Some((found, column)) = finding(row).zip(COLUMNS.get(index)) else {
                return Default::default();
            };
            let style = match column.id {
                "severity" => theme.severity(found.severity),
                _ => Style::new(),
            };
            (value(column, found, snapshot.time, list_column.width), style)
        },
    );
}

fn value(column: &Field<Finding>, found: &Finding, now: Nanos, width: usize) -> String {
    match column.id {
        "last" => ago(found.last, now),
        "address" if found.end > 0 && found.is_in_file() => offset_range(found.address, found.end, width),
        "address" if found.end > 0 => address_range(found.address, found.end, width),
        _ => (column.value)(found).text(),
    }
}

fn list_column(column: &Field<Finding>) -> ListColumn {
    let width = match column.id {
        // The longest names.
        "kind" => 21,
        "trigger" => 12,
        "pid" | "comm" => 7,
        "address" => 27,
        // The longest count, the longest time and the longest title with a mark have 6 characters.
        _ => 6,
    };
    ListColumn {
        title: column.title,
        width,
        rank: column.drop_rank,
        align: column.align,
    }
}

/// Returns the mark of the sort column. Names, pids, addresses and times rise from the first row on, other values fall.
fn sort_mark(order: Order) -> SortMark {
    let index = COLUMNS.iter().position(|column| column.id == order.column)?;
    let rising = match order.column {
        "pid" | "last" | "address" => true,
        "severity" => false,
        id => named(id)?.unit == Unit::Name,
    };
    Some((index, direction_mark(rising != order.reversed)))
}
