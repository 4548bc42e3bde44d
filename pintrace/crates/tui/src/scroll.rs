//! Text and lists that are longer than the screen: the position, the scrollbar, and lines that scroll.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Scrollbar, ScrollbarOrientation, ScrollbarState, StatefulWidget, Widget};

use super::theme::Theme;

/// The position in lines that scroll.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ScrollPosition {
    /// First line that is visible.
    pub(crate) first: usize,
    /// Number of lines when they were last drawn.
    lines: usize,
}

impl ScrollPosition {
    /// Moves by so many lines. Drawing clamps the position, because only drawing knows the number of lines.
    pub(crate) fn go(&mut self, lines: isize) {
        self.first = self.first.saturating_add_signed(lines);
    }

    /// The visible lines, for the footer.
    pub(crate) fn status(&self, page: usize) -> String {
        let Self { first, lines } = *self;
        format!(
            "{}-{} of {lines} lines",
            (first + 1).min(lines),
            (first + page).min(lines)
        )
    }

    /// Draws lines from the position on and returns how many lines have room. `lines` makes them for a width.
    pub(crate) fn draw(
        &mut self,
        lines: impl Fn(usize) -> Vec<Line<'static>>,
        area: Rect,
        buffer: &mut Buffer,
        theme: Theme,
    ) -> usize {
        let room = usize::from(area.height);
        let mut width = area.width;
        let mut text = lines(usize::from(width));
        if text.len() > room {
            // The scrollbar, and a column between it and the text.
            width = width.saturating_sub(2);
            text = lines(usize::from(width));
        }
        self.lines = text.len();
        self.first = self.first.min(text.len().saturating_sub(room));
        bar(area, (self.first, text.len()), buffer, theme);
        let visible: Vec<_> = text.into_iter().skip(self.first).take(room).collect();
        Paragraph::new(visible).render(Rect { width, ..area }, buffer);
        room
    }
}

/// Draws a scrollbar at the right edge unless all entries are visible.
pub(crate) fn bar(area: Rect, (first, entries): (usize, usize), buffer: &mut Buffer, theme: Theme) {
    let room = usize::from(area.height);
    if entries <= room || room == 0 {
        return;
    }
    // The positions that `first` can have.
    let mut state = ScrollbarState::new(entries - room + 1)
        .position(first)
        .viewport_content_length(room);
    let bar = Scrollbar::new(ScrollbarOrientation::VerticalRight)
        .begin_symbol(None)
        .end_symbol(None)
        .track_symbol(Some("│"))
        .thumb_symbol("█")
        .track_style(theme.dim())
        .thumb_style(theme.plain());
    bar.render(area, buffer, &mut state);
}
