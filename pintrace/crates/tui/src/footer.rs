//! The last line: the keys that matter here, or the filter being typed; and what is shown of how much.

use ratatui::text::{Line, Span};

use pintrace_model::text;

use super::app::App;
use super::cell;
use super::keymap::{self, Scope};
use super::theme::Theme;

/// The footer, `width` columns wide.
pub(super) fn line(app: &App, width: usize, theme: Theme) -> Line<'static> {
    let status = status(app);
    let status = cell::cut(&status, width).into_owned();
    let room = width.saturating_sub(cell::width(&status));
    let mut spans = if app.editing.is_some() {
        prompt(app, room, theme)
    } else {
        hints(app, room, theme)
    };
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::raw(" ".repeat(room.saturating_sub(used))));
    spans.push(Span::styled(status, theme.dim()));
    Line::from(spans)
}

/// The filter being typed. Its end stays visible, for there the typing goes on.
fn prompt(app: &App, room: usize, theme: Theme) -> Vec<Span<'static>> {
    let columns = room.saturating_sub(4);
    let text = &app.filter.text;
    let start = text
        .char_indices()
        .map(|(start, _)| start)
        .find(|start| cell::width(&text[*start..]) <= columns);
    let tail = start.map_or("", |start| &text[start..]).to_owned();
    vec![
        Span::styled("/", theme.accent()),
        Span::styled(tail, theme.plain()),
        Span::styled(" ", theme.selected()),
    ]
}

/// As many keys as fit.
fn hints(app: &App, room: usize, theme: Theme) -> Vec<Span<'static>> {
    let screen = app.scope();
    let mut spans = Vec::new();
    let mut used = 0;
    for binding in keymap::BINDINGS {
        let here = binding.scope == screen && app.help.is_none() || binding.scope == Scope::Everywhere;
        let (Some(hint), Some(key), true) = (binding.hint, binding.keys.first(), here) else {
            continue;
        };
        let key = key.label();
        let wide = cell::width(&key) + 1 + cell::width(hint) + 2;
        if used + wide > room {
            break;
        }
        used += wide;
        spans.push(Span::styled(key, theme.strong()));
        spans.push(Span::styled(format!(" {hint}  "), theme.dim()));
    }
    spans
}

fn status(app: &App) -> String {
    if let Some(first) = app.help {
        let last = (first + app.page).min(app.help_lines);
        return format!("{}-{last} of {} lines", first + 1, app.help_lines);
    }
    let (shown, all, nouns) = match app.scope() {
        Scope::Finding => {
            let (first, lines) = (app.findings.first_line, app.findings.lines);
            let last = (first + app.page).min(lines);
            return format!("{}-{last} of {lines} lines", first + 1);
        }
        Scope::Detail => return String::new(),
        Scope::Findings => (
            app.findings.rows.len(),
            app.shown.findings.len(),
            ["finding", "findings"],
        ),
        Scope::Windows => (
            app.findings.windows.len(),
            app.shown.windows.len(),
            ["row", "rows"],
        ),
        Scope::Table | Scope::Everywhere => (
            app.rows.len(),
            app.shown.processes.len(),
            ["process", "processes"],
        ),
    };
    let noun = nouns[usize::from(all != 1)];
    // A filter that is no longer typed must not be forgotten.
    let filter = match (&app.editing, app.filter.text.as_str()) {
        (None, text) if !text.is_empty() => format!("/{}  ", cell::cut(&text::printable(text), 20)),
        _ => String::new(),
    };
    if shown == all {
        format!("{filter}{all} {noun}")
    } else {
        format!("{filter}{shown} of {all} {noun}")
    }
}
