//! A kernel stack, innermost frame first.

use ratatui::text::{Line, Span};

use pintrace_model::text;
use pintrace_text::cut;

use super::theme::Theme;

/// Returns one line for each frame, after a margin of `margin` columns.
pub(super) fn lines(frames: &[String], margin: usize, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let words = std::iter::once("in ").chain(std::iter::repeat("by "));
    let room = width.saturating_sub(margin + 3);
    let line = |(frame, word): (&String, &str)| {
        let frame = text::printable(frame);
        Line::from(vec![
            Span::styled(format!("{}{word}", " ".repeat(margin)), theme.dim()),
            Span::styled(cut(&frame, room).into_owned(), theme.plain()),
        ])
    };
    frames.iter().zip(words).map(line).collect()
}
