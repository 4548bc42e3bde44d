//! Lines written one below the other.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Writes line after line into an area and stops at its end.
pub(super) struct LineWriter<'a> {
    area: Rect,
    y: u16,
    buffer: &'a mut Buffer,
}

impl<'a> LineWriter<'a> {
    /// At the top of an area.
    pub(super) fn new(area: Rect, buffer: &'a mut Buffer) -> Self {
        Self {
            area,
            y: area.y,
            buffer,
        }
    }

    /// Lines that still have room.
    pub(super) fn left(&self) -> usize {
        usize::from(self.area.bottom().saturating_sub(self.y))
    }

    /// A line.
    pub(super) fn line(&mut self, line: &Line<'_>) {
        if self.y < self.area.bottom() {
            self.buffer.set_line(self.area.x, self.y, line, self.area.width);
            self.y += 1;
        }
    }

    /// Some lines.
    pub(super) fn lines(&mut self, lines: &[Line<'_>]) {
        for line in lines {
            self.line(line);
        }
    }

    /// An empty line.
    pub(super) fn skip(&mut self) {
        self.line(&Line::default());
    }
}
