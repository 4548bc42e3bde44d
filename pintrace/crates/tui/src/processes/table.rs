//! The table of processes, with the columns of the catalogue.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use pintrace_events::units::Nanos;
use pintrace_model::field::process::COLUMNS;
use pintrace_model::field::{Field, Unit, Value};
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_model::text;
use pintrace_text::counted;

use super::super::columns::ListColumn;
use super::super::filter::Filter;
use super::super::list::{List, RowStyle, SortMark, direction_mark};
use super::super::message;
use super::super::order::Order;
use super::super::queries::RowKind;
use super::super::theme::Theme;
use super::state::ProcessesView;

/// Draws the table and returns how many rows fit.
pub(crate) fn draw(
    view: &ProcessesView,
    snapshot: &Snapshot,
    filter: &Filter,
    (area, buffer): (Rect, &mut Buffer),
    theme: Theme,
) -> usize {
    let list = List {
        columns: &COLUMNS.iter().map(list_column).collect::<Vec<_>>(),
        sorted: sort_mark(view.order),
        entries: view.rows.len(),
        cursor: view.cursor.row,
        theme,
    };
    if view.rows.is_empty() {
        message::draw(&empty(snapshot, filter), 2, area, buffer, theme);
    }
    let process = |row: usize| snapshot.processes.get(*view.rows.get(row)?);
    let row_style = |row| match process(row) {
        Some(process) if process.ended.is_some() => RowStyle {
            mark: "†",
            style: theme.dim(),
        },
        _ => RowStyle::default(),
    };
    list.draw(area, buffer, row_style, |row, index, list_column| {
        let text = process(row).zip(COLUMNS.get(index)).map(|(process, column)| {
            if column.id == "comm" {
                command(process, list_column.width)
            } else {
                value(column, process, snapshot.time)
            }
        });
        (text.unwrap_or_default(), Style::new())
    })
}

fn value(column: &Field<Process>, process: &Process, now: Nanos) -> String {
    let text = (column.value)(process).at(now).text();
    // A process that holds nothing has no share.
    if text.is_empty() {
        Value::Absent.text()
    } else {
        text
    }
}

/// Returns the command name, and the arguments if they fit.
fn command(process: &Process, width: usize) -> String {
    let name = text::printable(&process.comm);
    match process.cmdline.split_once(' ') {
        Some((_, arguments)) if pintrace_text::width(&name) + 8 < width => {
            format!("{name} {}", text::printable(arguments))
        }
        _ => name,
    }
}

fn list_column(column: &Field<Process>) -> ListColumn {
    let width = match (column.id, column.unit) {
        // The highest pid is 4194304.
        ("pid" | "oldest", _) => 7,
        ("subsystem", _) => 11,
        ("scan", _) => 9,
        (_, Unit::Bytes) => 8,
        (_, Unit::Share) => 5,
        // The longest count has 6 characters; a title with its mark can be longer.
        _ => (column.title.len() + 1).max(6),
    };
    ListColumn {
        title: column.title,
        width,
        rank: column.drop_rank,
        align: column.align,
    }
}

/// Returns the mark of the sort column. Names rise from the first row on, figures fall.
fn sort_mark(order: Order) -> SortMark {
    let index = COLUMNS.iter().position(|column| column.id == order.column)?;
    let column = COLUMNS.get(index)?;
    let process = Process::default();
    let value = (column.value)(&process);
    let rising = column.unit == Unit::Name || matches!(value, Value::Text(_) | Value::Id(_));
    Some((index, direction_mark(rising != order.reversed)))
}

/// Returns the reason for an empty table.
fn empty(snapshot: &Snapshot, filter: &Filter) -> String {
    let preexisting = snapshot.balance.preexisting_held;
    if let Some(lacks) = filter.lacks(RowKind::Process) {
        lacks
    } else if !filter.query().is_empty() {
        let text = text::printable(filter.query());
        format!("No process matches “{text}”. Esc clears the filter.")
    } else if !snapshot.processes.is_empty() {
        "Every process with pins has ended and holds nothing. e shows ended processes.".to_owned()
    } else if preexisting > 0 {
        let pages = counted(preexisting.unsigned_abs(), "page");
        format!("No process has pinned memory yet. Preexisting pins hold {pages}.")
    } else {
        "No process has pinned memory yet.".to_owned()
    }
}
