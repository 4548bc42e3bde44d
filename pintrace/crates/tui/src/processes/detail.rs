//! One process: name, figures and end, above the lists of extents and threads.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use pintrace_events::units::Nanos;
use pintrace_model::field::process::{COLUMNS, signal_name};
use pintrace_model::field::{Unit, Value};
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_model::text;
use pintrace_text::{counted, cut};

use super::super::flow::{self, pair};
use super::super::tabs::tabs;
use super::super::theme::Theme;
use super::process_lists;
use super::state::{ProcessTab, ProcessesView};

/// Draws the open process and returns how many entries of its list fit.
pub(crate) fn draw(
    view: &ProcessesView,
    snapshot: &Snapshot,
    (area, buffer): (Rect, &mut Buffer),
    theme: Theme,
) -> usize {
    let Some((process, open)) = view.opened(snapshot).zip(view.open) else {
        let gone = "This process is no longer in the trace. Esc goes back.";
        Line::styled(gone, theme.dim()).render(area, buffer);
        return 0;
    };
    let width = usize::from(area.width);
    let about = about(process, snapshot.time, width, theme);
    let stack = process_lists::stack(process, open, width, theme);
    let (entries, selected) = match open.tab {
        ProcessTab::Extents => (process.open_extents.len(), 0),
        ProcessTab::Threads => (process.threads.len(), 1),
    };
    let [about_area, tabs_area, list_area, stack_area] = divide(area, about.len(), entries, stack.len());
    Paragraph::new(about).render(about_area, buffer);
    let names = [
        ("extents", process.open_extents.len()),
        ("threads", process.threads.len()),
    ];
    tabs(names, selected, theme).render(tabs_area, buffer);
    Paragraph::new(stack).render(stack_area, buffer);
    process_lists::draw(process, open, snapshot.time, (list_area, buffer), theme)
}

/// Returns the areas for the lines about the process, the tabs, the list and the stack. If list and stack do not both
/// fit, the stack gets at most half of the space.
fn divide(area: Rect, about: usize, entries: usize, stack: usize) -> [Rect; 4] {
    let height = usize::from(area.height);
    let most_about = if height < 8 { 1 } else { height / 2 - 1 };
    let about = about.min(most_about);
    let gap = usize::from(height - about > 8);
    let left = height.saturating_sub(about + gap + 1);
    let room = left.saturating_sub(1 + stack.min(left / 2));
    let list = (1 + room.min(entries)).min(left);
    let stack_gap = usize::from(left - list > stack);
    let heights = [about, gap, 1, list, stack_gap, left - list - stack_gap];
    let constraints = heights.map(|height| Constraint::Length(u16::try_from(height).unwrap_or(u16::MAX)));
    let [about, _, tabs, list, _, stack] = Layout::vertical(constraints).areas(area);
    [about, tabs, list, stack]
}

/// Returns the lines about the process, the most important first.
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
        let held = counted(ended.pages_held, "page");
        title.push(Span::styled(
            format!("  † ended {ago} ago, {how}, held {held} then"),
            theme.strong(),
        ));
    }
    let mut lines = vec![Line::from(title)];
    lines.extend(figures(process, now, width, theme));
    // A subsystem through which the process pinned before, and that holds nothing now, is not a holder.
    let held = process.subsystems.iter().filter(|(_, pages)| **pages > 0);
    let held: Vec<_> = held
        .map(|(subsystem, pages)| pair(&subsystem.to_string(), pages.to_string(), theme))
        .collect();
    lines.extend(flow::lines(&held, width));
    let evidence = process.evidence.iter();
    let evidence: Vec<_> = evidence
        .map(|(evidence, pages)| pair(&format!("by {}", evidence.name()), pages.to_string(), theme))
        .collect();
    lines.extend(flow::lines(&evidence, width));
    for words in [&process.cmdline, &process.cgroup] {
        if !words.is_empty() {
            let words = text::printable(words);
            lines.push(Line::styled(cut(&words, width).into_owned(), theme.dim()));
        }
    }
    lines
}

/// Returns all figures of the process with every digit, including figures whose column does not fit into the table.
fn figures(process: &Process, now: Nanos, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let numbers = COLUMNS
        .iter()
        .filter(|column| column.unit != Unit::Name && column.id != "pid");
    let pairs: Vec<_> = numbers
        .map(|column| {
            let value = match (column.value)(process).at(now) {
                Value::Count(count) => count.to_string(),
                value => value.text(),
            };
            let value = if value.is_empty() { "-".to_owned() } else { value };
            pair(&column.title.to_lowercase(), value, theme)
        })
        .collect();
    flow::lines(&pairs, width)
}
