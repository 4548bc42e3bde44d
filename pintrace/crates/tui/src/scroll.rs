//! Scrolling of text and lists that are longer than the screen: position, scrollbar and lines.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Scrollbar, ScrollbarOrientation, ScrollbarState, StatefulWidget, Widget};

use super::theme::Theme;

/// A position in scrolled lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ScrollPosition {
    /// First visible line.
    pub(crate) first: usize,
    /// Number of lines at the last draw.
    lines: usize,
    /// The position stays at the end when lines are added.
    at_end: bool,
}

impl ScrollPosition {
    /// Moves the position by `lines`; `isize::MAX` moves it to the end, where it stays. Drawing clamps the position, because the number of lines is known only then.
    pub(crate) fn go(&mut self, lines: isize) {
        self.at_end = lines == isize::MAX || (self.at_end && lines >= 0);
        self.first = self.first.saturating_add_signed(lines);
    }

    /// Returns the range of visible lines, for the footer.
    pub(crate) fn status(&self, page: usize) -> String {
        let Self { first, lines, .. } = *self;
        format!(
            "{}-{} of {lines} lines",
            (first + 1).min(lines),
            (first + page).min(lines)
        )
    }

    /// Draws lines from the position on and returns how many lines fit. `lines` returns all lines for a width.
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
            // Two columns are for the scrollbar and the space before it.
            width = width.saturating_sub(2);
            text = lines(usize::from(width));
        }
        self.lines = text.len();
        let last = text.len().saturating_sub(room);
        self.first = if self.at_end { last } else { self.first.min(last) };
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
    // The length of the scrollbar is the number of positions of `first`.
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
