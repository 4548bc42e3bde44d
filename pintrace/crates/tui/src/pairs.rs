//! Labels and values, as many on a line as have room.

use ratatui::text::{Line, Span};

use super::cell;
use super::theme::Theme;

/// Labels and values side by side, on as many lines as they take.
pub(super) fn pairs(
    pairs: impl Iterator<Item = (String, String)>,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (label, value) in pairs {
        let wide = cell::width(&label) + 1 + cell::width(&value);
        let spans = [
            Span::styled(format!("{label} "), theme.dim()),
            Span::styled(value, theme.plain()),
        ];
        match lines.last_mut() {
            Some(line) if line.width() + 3 + wide <= width => {
                line.push_span(Span::raw("   "));
                line.spans.extend(spans);
            }
            _ => lines.push(Line::from_iter(spans)),
        }
    }
    lines
}
