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
    /// Moves the position by `lines`; `isize::MAX` moves it to the end, where it stays. Drawing clamps the position, because
    /// the number of lines is known only then.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws this number of lines on three, and returns the first line on the screen, from 0 on.
    fn first(position: &mut ScrollPosition, lines: usize) -> usize {
        let area = Rect::new(0, 0, 20, 3);
        let numbered = |_: usize| (0..lines).map(|line| Line::raw(line.to_string())).collect();
        let mut buffer = Buffer::empty(area);
        position.draw(numbered, area, &mut buffer, Theme::new(false));
        let symbols = (0..2).map(|column| buffer[(column, 0)].symbol().trim().to_owned());
        let shown: String = symbols.collect();
        assert_eq!(shown, position.first.to_string());
        position.first
    }

    #[test]
    fn a_position_at_the_end_stays_there_while_lines_are_added() {
        let mut position = ScrollPosition::default();
        assert_eq!(first(&mut position, 10), 0);
        position.go(isize::MAX);
        assert_eq!(first(&mut position, 10), 7);
        assert_eq!(first(&mut position, 15), 12);
        // Further down than the end is still the end.
        position.go(1);
        assert_eq!(first(&mut position, 20), 17);
    }

    #[test]
    fn a_position_that_moved_up_stays_at_its_line() {
        let mut position = ScrollPosition::default();
        position.go(isize::MAX);
        first(&mut position, 10);
        position.go(-2);
        assert_eq!(first(&mut position, 10), 5);
        assert_eq!(first(&mut position, 15), 5);
        // A line that no longer exists is the last one.
        assert_eq!(first(&mut position, 6), 3);
    }
}
