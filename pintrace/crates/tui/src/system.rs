//! The view of the system: the balance, the losses, the hooks, and what pintrace itself takes of the host.

use ratatui::text::Line;

use pintrace_model::field::Value;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::views::system::{self, SystemGroup, SystemRow};

use super::labelled::labelled;
use super::theme::Theme;

/// Columns of the label of a figure, with its margin: the name of a map has at most 15 characters.
const LABEL: usize = 24;
/// On a narrower screen, the label has [`NARROW_LABEL`] columns.
const WIDE: usize = 70;
/// Columns of the label on a narrow screen, which cuts some labels.
const NARROW_LABEL: usize = 14;

/// Returns the lines of the view, `width` columns wide.
pub(super) fn lines(snapshot: &Snapshot, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let columns = if width < WIDE { NARROW_LABEL } else { LABEL };
    let rows = system::of(snapshot);
    let mut lines = Vec::new();
    for group in SystemGroup::ALL {
        let mut of_group = rows.iter().filter(|row| row.group == *group).peekable();
        if of_group.peek().is_none() {
            continue;
        }
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(capitalized(group.title()), theme.strong()));
        lines.extend(of_group.flat_map(|row| of_row(row, columns, width, theme)));
    }
    lines
}

fn of_row(row: &SystemRow, columns: usize, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let margin = if row.is_part { "    " } else { "  " };
    let mark = if row.is_alarm { "! " } else { margin };
    // A space separates label and words.
    let label = format!("{mark}{}", row.label);
    let label = pintrace_text::cut(&label, columns - 1).into_owned();
    let style = match (row.is_alarm, row.is_part) {
        (true, _) => theme.alarm(),
        (false, true) => theme.dim(),
        (false, false) => theme.accent(),
    };
    let words = match &row.value {
        Value::Absent => row.explanation.clone().into_owned(),
        value if row.explanation.is_empty() => value.exact(),
        value => format!("{}  {}", value.exact(), row.explanation),
    };
    labelled((&label, columns, style), &words, width, theme)
}

fn capitalized(title: &str) -> String {
    let mut chars = title.chars();
    match chars.next() {
        Some(first) if title != "vmstat against ledger" => first.to_uppercase().chain(chars).collect(),
        _ => title.to_owned(),
    }
}
