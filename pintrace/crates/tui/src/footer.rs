//! The last line: the keys of the screen or the edited filter, and the number of entries.

use ratatui::text::{Line, Span};

use pintrace_model::text;
use pintrace_text::{cut, tail, width};

use super::app::App;
use super::keymap::{self, KeyScope};
use super::theme::Theme;

/// Spaces between two items.
const GAP: usize = 2;

/// Returns the footer, `columns` wide.
pub(super) fn line(app: &App, columns: usize, theme: Theme) -> Line<'static> {
    let status = status(app);
    let status = cut(&status, columns).into_owned();
    let room = columns.saturating_sub(width(&status));
    let gap = if status.is_empty() { 0 } else { GAP };
    let mut spans = if app.editing.is_some() {
        prompt(app, room.saturating_sub(gap), theme)
    } else {
        hints(app, room.saturating_sub(gap), theme)
    };
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::raw(" ".repeat(room.saturating_sub(used))));
    spans.push(Span::styled(status, theme.dim()));
    Line::from(spans)
}

/// Returns the edited filter, with its end visible.
fn prompt(app: &App, room: usize, theme: Theme) -> Vec<Span<'static>> {
    let end = tail(&app.filter.text, room.saturating_sub(2)).to_owned();
    vec![
        Span::styled("/", theme.accent()),
        Span::styled(end, theme.plain()),
        Span::styled(" ", theme.selected()),
    ]
}

/// Returns the keys that fit.
fn hints(app: &App, room: usize, theme: Theme) -> Vec<Span<'static>> {
    let screen = if app.help.is_some() {
        KeyScope::Everywhere
    } else {
        app.scope()
    };
    let mut spans = Vec::new();
    let mut used = 0;
    for binding in keymap::in_force(screen) {
        let (Some(hint), Some(key)) = (binding.hint, binding.keys().next()) else {
            continue;
        };
        let key = key.label();
        let gap = if spans.is_empty() { 0 } else { GAP };
        used += gap + width(&key) + 1 + width(hint);
        if used > room {
            break;
        }
        spans.push(Span::raw(" ".repeat(gap)));
        spans.push(Span::styled(key, theme.strong()));
        spans.push(Span::styled(format!(" {hint}"), theme.dim()));
    }
    spans
}

fn status(app: &App) -> String {
    if let Some(position) = app.help {
        return position.status(app.page);
    }
    if let Some(position) = app.own_cost.or(app.pin_calls) {
        return position.status(app.page);
    }
    let (shown, all, nouns) = match app.scope() {
        KeyScope::FindingDetail => return app.findings.scroll.status(app.page),
        KeyScope::ProcessDetail | KeyScope::OwnCost | KeyScope::PinCalls => return String::new(),
        KeyScope::FindingTable => (
            app.findings.rows.len(),
            app.shown.findings.len(),
            ["finding", "findings"],
        ),
        KeyScope::WindowTable => (
            app.findings.windows.len(),
            app.shown.windows.len(),
            ["row", "rows"],
        ),
        KeyScope::ProcessTable | KeyScope::Everywhere => (
            app.processes.rows.len(),
            app.shown.processes.len(),
            ["process", "processes"],
        ),
    };
    let noun = nouns[usize::from(all != 1)];
    // A filter in force stays visible.
    let filter = match (&app.editing, app.filter.text.as_str()) {
        (None, text) if !text.is_empty() => format!("/{}  ", cut(&text::printable(text), 20)),
        _ => String::new(),
    };
    if shown == all {
        format!("{filter}{all} {noun}")
    } else {
        format!("{filter}{shown} of {all} {noun}")
    }
}
