//! Items in a row, wrapped to lines.
//!
//! `Paragraph` of ratatui breaks lines between words. Here a label and its value stay on one line.

use ratatui::text::{Line, Span};

use pintrace_text::cut;

use super::theme::Theme;

/// Spaces between two items.
const GAP: usize = 3;

/// A part of a line that is not broken.
pub(crate) type FlowItem = Vec<Span<'static>>;

/// Returns an item of a label and its value.
pub(crate) fn pair(label: &str, value: String, theme: Theme) -> FlowItem {
    vec![
        Span::styled(format!("{label} "), theme.dim()),
        Span::styled(value, theme.plain()),
    ]
}

/// Returns the lines of the items. An item that is wider than a line is cut.
pub(crate) fn lines<'a>(items: impl IntoIterator<Item = &'a FlowItem>, width: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    for item in items {
        let columns: usize = item.iter().map(Span::width).sum();
        match lines.last_mut() {
            Some(line) if line.width() + GAP + columns <= width => {
                line.push_span(Span::raw(" ".repeat(GAP)));
                line.spans.extend(item.iter().cloned());
            }
            _ if columns <= width => lines.push(Line::from(item.clone())),
            _ => lines.push(cut_item(item, width)),
        }
    }
    lines
}

fn cut_item(item: &FlowItem, width: usize) -> Line<'static> {
    let style = item.last().map(|span| span.style).unwrap_or_default();
    let text: String = item.iter().map(|span| span.content.as_ref()).collect();
    Line::styled(cut(&text, width).into_owned(), style)
}
