//! The last lines: the keys of the screen or the line that is typed, the number of rows, and what is wrong with a query.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use pintrace_model::text;
use pintrace_text::{cut, pad_left, tail, width};

use super::app::App;
use super::clicks::Click;
use super::keymap::{self, Action};
use super::theme::Theme;
use super::views::RowCount;

/// Spaces between two items.
const GAP: usize = 2;

/// Returns the number of lines of the footer.
pub(super) fn height(app: &App) -> u16 {
    1 + u16::from(app.editing.is_some() && app.filter.error(app.views.shown.row_kind()).is_some())
}

/// Draws the footer: a second line has the mistake of the edited query.
pub(super) fn draw(app: &mut App, area: Rect, buffer: &mut Buffer, theme: Theme) {
    let columns = usize::from(area.width);
    let first = Rect { height: 1, ..area };
    let status = cut(&status(app), columns).into_owned();
    let room = prompt_room(app, columns);
    let typed = typed(app);
    let spans = if let Some((sign, line)) = typed {
        prompt(sign, &line, room, theme)
    } else if let Some(notice) = &app.notice {
        vec![Span::styled(cut(notice, room).into_owned(), theme.accent())]
    } else {
        hints(app, room, first, theme)
    };
    Line::from(spans).render(first, buffer);
    let status_columns = u16::try_from(width(&status)).unwrap_or(u16::MAX).min(area.width);
    let status_area = Rect {
        x: area.x + area.width - status_columns,
        width: status_columns,
        ..first
    };
    Line::styled(status, theme.dim()).render(status_area, buffer);
    if let Some(mistake) = mistake(app, columns, theme)
        && area.height > 1
    {
        let below = Rect {
            y: area.y + 1,
            height: 1,
            ..area
        };
        mistake.render(below, buffer);
    }
}

/// A line that is typed, as it is shown.
struct Shown {
    before_cursor: String,
    after_cursor: String,
}

impl Shown {
    fn of(text: &str, before_cursor: &str) -> Self {
        let after = text.get(before_cursor.len()..).unwrap_or_default();
        Self {
            before_cursor: text::printable(before_cursor),
            after_cursor: text::printable(after),
        }
    }

    /// Returns the columns of the line that are left of the screen, which shows the cursor.
    fn hidden(&self, room: usize) -> usize {
        width(&self.before_cursor).saturating_sub(room.saturating_sub(2))
    }
}

/// Returns the line that is typed, after its sign.
fn typed(app: &App) -> Option<(&'static str, Shown)> {
    let search = app.help.as_ref().and_then(|help| help.search());
    if app.palette.is_open() {
        Some((":", Shown::of(app.palette.text(), app.palette.before_cursor())))
    } else if let Some(search) = search {
        Some(("/", Shown::of(search.text(), search.before_cursor())))
    } else {
        let line = app.editing.as_ref()?;
        Some(("/", Shown::of(app.filter.text(), line.before_cursor())))
    }
}

/// Returns the columns before the number of rows.
fn prompt_room(app: &App, columns: usize) -> usize {
    let status = width(&status(app));
    let gap = if status == 0 { 0 } else { GAP };
    columns.saturating_sub(status + gap)
}

/// Returns a typed line, with its cursor visible.
fn prompt(sign: &'static str, line: &Shown, room: usize, theme: Theme) -> Vec<Span<'static>> {
    let before = tail(&line.before_cursor, room.saturating_sub(2)).to_owned();
    let mut after = line.after_cursor.chars();
    let under = after.next().unwrap_or(' ').to_string();
    let left = room.saturating_sub(1 + width(&before) + width(&under));
    vec![
        Span::styled(sign, theme.accent()),
        Span::styled(before, theme.plain()),
        Span::styled(under, theme.selected()),
        Span::styled(cut(after.as_str(), left).into_owned(), theme.plain()),
    ]
}

/// Returns a caret under the mistake of the edited query, beside what is wrong and what is possible. The text stands on
/// the side of the caret that has more room.
fn mistake(app: &App, columns: usize, theme: Theme) -> Option<Line<'static>> {
    let line = app.editing.as_ref()?;
    let error = app.filter.error(app.views.shown.row_kind())?;
    let query: Vec<char> = app.filter.text().chars().collect();
    let before: String = query.iter().take(error.column() - 1).collect();
    let shown = Shown::of(app.filter.text(), line.before_cursor());
    let hidden = shown.hidden(prompt_room(app, columns));
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

/// Returns the keys that fit, and makes them react to the mouse.
fn hints(app: &mut App, room: usize, place: Rect, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut used = 0;
    for binding in keymap::in_force(app.screen()) {
        let (Some(hint), Some(key)) = (binding.hint, app.keys.keys_of(binding).first().copied()) else {
            continue;
        };
        let hint = match binding.action {
            Action::Freeze => app.time.toggle_hint(),
            _ => hint,
        };
        let key = key.label();
        let gap = if spans.is_empty() { 0 } else { GAP };
        let columns = width(&key) + 1 + width(hint);
        if used + gap + columns > room {
            break;
        }
        let at = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let area = Rect {
            x: place.x + at(used + gap),
            width: at(columns),
            ..place
        };
        app.clicks.add(area, Click::Act(binding.action));
        used += gap + columns;
        spans.push(Span::raw(" ".repeat(gap)));
        spans.push(Span::styled(key, theme.strong()));
        spans.push(Span::styled(format!(" {hint}"), theme.dim()));
    }
    spans
}

fn status(app: &App) -> String {
    if let Some(help) = &app.help {
        return help.position.status(app.page);
    }
    if let Some(position) = app.views.position(app.page) {
        return position;
    }
    let Some(RowCount { shown, all }) = app.views.count() else {
        return String::new();
    };
    let nouns = app.views.shown.nouns();
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
