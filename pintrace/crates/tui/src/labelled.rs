//! Words after a label, wrapped to lines.
//!
//! `Paragraph` of ratatui has no hanging indent, and `textwrap` no styles.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use pintrace_text::{pad_right, wrap};

use super::theme::Theme;

/// Returns lines of `width` columns. The label takes the first `label_columns` of the first line.
pub(crate) fn labelled(
    (label, label_columns, style): (&str, usize, Style),
    words: &str,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let wrapped = wrap(words, width.saturating_sub(label_columns));
    let line = |(index, words): (usize, String)| {
        let label = if index == 0 { label } else { "" };
        Line::from(vec![
            Span::styled(pad_right(label, label_columns), style),
            Span::styled(words, theme.plain()),
        ])
    };
    wrapped.into_iter().enumerate().map(line).collect()
}
