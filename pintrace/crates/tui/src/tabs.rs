//! The lists that a screen has, with the one that is open in brackets.

use ratatui::text::{Line, Span};

use super::theme::Theme;

/// One of them.
pub(super) struct Tab {
    pub(super) name: &'static str,
    /// Entries.
    pub(super) count: usize,
    pub(super) open: bool,
}

impl Tab {
    /// Side by side.
    pub(super) fn line(tabs: &[Self], theme: Theme) -> Line<'static> {
        let mut line = Line::default();
        for (index, tab) in tabs.iter().enumerate() {
            let Self { name, count, open } = tab;
            if index > 0 {
                line.push_span(Span::raw("  "));
            }
            line.push_span(if *open {
                Span::styled(format!("[{name} {count}]"), theme.accent())
            } else {
                Span::styled(format!(" {name} {count} "), theme.dim())
            });
        }
        line
    }
}
