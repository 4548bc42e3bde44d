//! One process: what it is, what it holds and how it ended, above the lists of its parts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use pintrace_events::units::Nanos;
use pintrace_model::field::process::{COLUMNS, signal_name};
use pintrace_model::field::{Unit, Value};
use pintrace_model::snapshot::Process;
use pintrace_model::text;

use super::app::{App, Detail, List};
use super::cell;
use super::line_writer::LineWriter;
use super::pairs::pairs;
use super::process_lists;
use super::tabs::Tab;
use super::theme::Theme;

/// Draws the detail and returns how many entries of its list it has room for.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer, theme: Theme) -> usize {
    let mut writer = LineWriter::new(area, buffer);
    let Some((process, detail)) = app.subject().zip(app.detail) else {
        writer.line(&Line::styled(
            "This process is no longer known. Esc goes back.",
            theme.dim(),
        ));
        return 0;
    };
    let width = usize::from(area.width);
    let about = about(process, app.shown.time, width, theme);
    let most = if area.height < 8 {
        1
    } else {
        usize::from(area.height / 2) - 1
    };
    writer.lines(about.get(..most).unwrap_or(&about));
    if writer.left() > 8 {
        writer.skip();
    }
    writer.line(&tabs(process, detail, theme));
    let stack = process_lists::stack(process, detail, width, theme);
    let room = writer
        .left()
        .saturating_sub(1 + stack.len().min(writer.left() / 2));
    match detail.list {
        List::Extents => writer.lines(&process_lists::extents(
            &process.open_extents,
            detail.cursor,
            (width, room),
            theme,
        )),
        List::Threads => writer.lines(&process_lists::threads(
            &process.threads,
            detail.cursor,
            (width, room),
            theme,
        )),
    }
    if writer.left() > stack.len() {
        writer.skip();
    }
    writer.lines(&stack);
    room
}

/// Who it is and what it holds, most telling first.
fn about(process: &Process, now: Nanos, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut title = vec![
        Span::styled(text::printable(&process.comm), theme.strong()),
        Span::styled(format!("  pid {}", process.pid.0), theme.plain()),
    ];
    if let Some(uid) = process.uid {
        title.push(Span::styled(format!("  uid {uid}"), theme.plain()));
    }
    if let Some(ended) = process.ended {
        let how = if ended.signal == 0 {
            format!("exit {}", ended.status)
        } else {
            signal_name(ended.signal).into()
        };
        let ago = text::span(now.since(ended.time));
        let held = ended.pages_held;
        title.push(Span::styled(
            format!("  † ended {ago} ago, {how}, held {held} pages then"),
            theme.strong(),
        ));
    }
    let mut lines = vec![Line::from(title)];
    lines.extend(figures(process, width, theme));
    let held = process
        .subsystems
        .iter()
        .map(|(subsystem, pages)| (subsystem.to_string(), pages.to_string()));
    lines.extend(pairs(held, width, theme));
    for words in [&process.cmdline, &process.cgroup] {
        if !words.is_empty() {
            lines.push(Line::styled(
                cell::cut(&text::printable(words), width).into_owned(),
                theme.dim(),
            ));
        }
    }
    lines
}

/// The row of the table again, with what did not fit there.
fn figures(process: &Process, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let numbers = COLUMNS
        .iter()
        .filter(|column| column.unit != Unit::Name && column.id != "pid");
    let texts = numbers.map(|column| {
        let value = match (column.value)(process) {
            // Here is room for every digit.
            Value::Count(count) => count.to_string(),
            value => value.text(),
        };
        (
            column.title.to_lowercase(),
            if value.is_empty() { "-".to_owned() } else { value },
        )
    });
    pairs(texts, width, theme)
}

fn tabs(process: &Process, detail: Detail, theme: Theme) -> Line<'static> {
    let tab = |list, name, count| Tab {
        name,
        count,
        open: detail.list == list,
    };
    let tabs = [
        tab(List::Extents, "extents", process.open_extents.len()),
        tab(List::Threads, "threads", process.threads.len()),
    ];
    Tab::line(&tabs, theme)
}
