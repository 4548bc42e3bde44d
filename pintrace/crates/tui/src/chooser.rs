//! The chooser of columns.

use ratatui::text::Line;

use pintrace_text::{cut, pad_right};

use super::table::ColumnChoice;
use super::theme::Theme;

/// Returns a line for each column, with a mark for those that are shown.
pub(super) fn lines(
    choices: &[ColumnChoice],
    cursor: usize,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(
        "Columns: Enter shows or hides one, ← → move it, Esc closes",
        theme.strong(),
    )];
    for (index, choice) in choices.iter().enumerate() {
        let mark = if choice.shown { "[x]" } else { "[ ]" };
        let pointer = if index == cursor { ">" } else { " " };
        let text = format!("{pointer} {mark} {} {}", pad_right(choice.title, 10), choice.help);
        let style = if index == cursor {
            theme.selected()
        } else {
            theme.plain()
        };
        lines.push(Line::styled(cut(&text, width).into_owned(), style));
    }
    lines
}
