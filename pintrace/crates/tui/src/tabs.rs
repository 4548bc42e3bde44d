//! The tabs of a screen.

use ratatui::text::Line;
use ratatui::widgets::Tabs;

use super::theme::Theme;

/// Returns tabs with names and numbers of entries. The selected tab is in brackets, for terminals without colour.
pub(crate) fn tabs(names: [(&str, usize); 2], selected: usize, theme: Theme) -> Tabs<'static> {
    let titles = names.into_iter().enumerate().map(|(index, (name, entries))| {
        if index == selected {
            Line::styled(format!("[{name} {entries}]"), theme.accent())
        } else {
            Line::styled(format!(" {name} {entries} "), theme.dim())
        }
    });
    Tabs::new(titles).select(None).divider("").padding("", "  ")
}
