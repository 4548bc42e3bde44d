//! A message instead of entries.

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::theme::Theme;

/// Draws words with a margin of 2 columns, after `below` empty lines.
pub(crate) fn draw(words: &str, below: u16, area: Rect, buffer: &mut Buffer, theme: Theme) {
    let below = below.min(area.height);
    let place = Rect {
        y: area.y + below,
        height: area.height - below,
        ..area
    };
    let paragraph = Paragraph::new(words).wrap(Wrap { trim: true });
    paragraph
        .style(theme.dim())
        .render(place.inner(Margin::new(2, 0)), buffer);
}
