//! The last line: the keys of the screen or the edited filter, and the number of entries.

use ratatui::text::{Line, Span};

use pintrace_model::text;
use pintrace_text::{cut, pad_left, tail, width};

use super::app::App;
use super::keymap::{self, KeyScope};
use super::theme::Theme;

/// Spaces between two items.
const GAP: usize = 2;

/// Returns the number of lines of the footer.
pub(super) fn height(app: &App) -> u16 {
    1 + u16::from(app.editing.is_some() && app.filter.error(app.row_kind()).is_some())
}

/// Returns the lines of the footer, `columns` wide: a second one with the mistake of the edited query.
pub(super) fn lines(app: &App, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let first = line(app, columns, theme);
    std::iter::once(first)
        .chain(mistake(app, columns, theme))
        .collect()
}

fn line(app: &App, columns: usize, theme: Theme) -> Line<'static> {
    let status = status(app);
    let status = cut(&status, columns).into_owned();
    let room = columns.saturating_sub(width(&status));
    let free = prompt_room(app, columns);
    let mut spans = if app.editing.is_some() {
        prompt(app, free, theme)
    } else {
        hints(app, free, theme)
    };
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::raw(" ".repeat(room.saturating_sub(used))));
    spans.push(Span::styled(status, theme.dim()));
    Line::from(spans)
}

/// Returns the columns before the number of entries.
fn prompt_room(app: &App, columns: usize) -> usize {
    let status = width(&status(app));
    let gap = if status == 0 { 0 } else { GAP };
    columns.saturating_sub(status + gap)
}

/// Returns the edited filter, with its end visible.
fn prompt(app: &App, room: usize, theme: Theme) -> Vec<Span<'static>> {
    let text = text::printable(app.filter.text());
    let end = tail(&text, room.saturating_sub(2)).to_owned();
    vec![
        Span::styled("/", theme.accent()),
        Span::styled(end, theme.plain()),
        Span::styled(" ", theme.selected()),
    ]
}

/// Returns a caret under the mistake of the edited query, beside what is wrong and what is possible. The text stands on
/// the side of the caret that has more room.
fn mistake(app: &App, columns: usize, theme: Theme) -> Option<Line<'static>> {
    app.editing.as_ref()?;
    let error = app.filter.error(app.row_kind())?;
    let query: Vec<char> = app.filter.text().chars().collect();
    let before: String = query.iter().take(error.column() - 1).collect();
    let all = width(&text::printable(app.filter.text()));
    // The prompt shows the end of a long query.
    let hidden = all.saturating_sub(prompt_room(app, columns).saturating_sub(2));
    let caret = (1 + width(&text::printable(&before)).saturating_sub(hidden)).min(columns.saturating_sub(1));
    let words = error.summary();
    let right = columns.saturating_sub(caret + 2);
    let spans = if right >= caret || right >= width(&words) {
        vec![
            Span::raw(" ".repeat(caret)),
            Span::styled("^ ", theme.alarm()),
            Span::styled(cut(&words, right).into_owned(), theme.plain()),
        ]
    } else {
        vec![
            Span::styled(pad_left(&words, caret.saturating_sub(1)), theme.plain()),
            Span::styled(" ^", theme.alarm()),
        ]
    };
    Some(Line::from(spans))
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
    let filter = match (&app.editing, app.filter.text()) {
        (None, text) if !text.is_empty() => format!("/{}  ", cut(&text::printable(text), 20)),
        _ => String::new(),
    };
    if shown == all {
        format!("{filter}{all} {noun}")
    } else {
        format!("{filter}{shown} of {all} {noun}")
    }
}
