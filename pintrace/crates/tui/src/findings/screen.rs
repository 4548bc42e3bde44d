//! Divides the view: what it lists, what nobody looks for, the list, and the one under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use pintrace_model::finding::coverage::not_covered;
use pintrace_model::finding::text::dropped;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text;

use super::super::cell;
use super::super::line_writer::LineWriter;
use super::super::order::Filter;
use super::super::tabs::Tab;
use super::super::theme::Theme;
use super::finding_detail::{self, DetailStyle};
use super::state::{FindingsTab, FindingsView, OpenFinding};
use super::{list, windows};

/// Frames of a stack beside the list: whose the call was stands among the innermost.
const FRAMES: usize = 8;
/// With fewer lines than this, the list has them all.
const DIVIDED: usize = 9;

/// Draws the view and returns how many entries or lines a page has.
pub(crate) fn draw(
    view: &mut FindingsView,
    snapshot: &Snapshot,
    filter: &Filter,
    (area, buffer): (Rect, &mut Buffer),
    theme: Theme,
) -> usize {
    let mut writer = LineWriter::new(area, buffer);
    let style = DetailStyle {
        now: snapshot.time,
        width: usize::from(area.width),
        frames: FRAMES,
        theme,
    };
    match view.open_finding(snapshot) {
        OpenFinding::Shown(found) => {
            let style = DetailStyle {
                frames: usize::MAX,
                ..style
            };
            let lines = finding_detail::lines(found, style);
            let room = writer.left();
            view.first_line = view.first_line.min(lines.len().saturating_sub(room));
            view.lines = lines.len();
            writer.lines(lines.get(view.first_line..).unwrap_or_default());
            return room;
        }
        OpenFinding::Gone => {
            view.lines = 0;
            let gone = "This finding has given way to a worse one. Esc goes back.";
            writer.line(&Line::styled(gone, theme.dim()));
            return 0;
        }
        OpenFinding::None => {}
    }
    writer.line(&tabs(view, snapshot, theme));
    match view.part {
        FindingsTab::Findings => findings(view, snapshot, filter, &mut writer, style),
        FindingsTab::Windows => windows::draw(view, snapshot, filter, &mut writer, (style.width, theme)),
    }
}

fn tabs(view: &FindingsView, snapshot: &Snapshot, theme: Theme) -> Line<'static> {
    let tab = |part, name, count| Tab {
        name,
        count,
        open: view.part == part,
    };
    let tabs = [
        tab(FindingsTab::Findings, "findings", snapshot.findings.len()),
        tab(FindingsTab::Windows, "flush windows", snapshot.windows.len()),
    ];
    Tab::line(&tabs, theme)
}

fn findings(
    view: &FindingsView,
    snapshot: &Snapshot,
    filter: &Filter,
    writer: &mut LineWriter<'_>,
    style: DetailStyle,
) -> usize {
    let DetailStyle { width, theme, .. } = style;
    let notes = [not_covered(&snapshot.started), dropped(snapshot.findings_dropped)];
    let Some(found) = view.under_cursor(snapshot) else {
        let empty = if snapshot.findings.is_empty() {
            format!(
                "Nothing found. {}",
                notes.into_iter().flatten().collect::<Vec<_>>().join(" ")
            )
        } else {
            nothing_matches("finding", filter)
        };
        writer.skip();
        writer.lines(&indented(&empty, width, theme));
        return 0;
    };
    for note in notes.iter().flatten() {
        writer.line(&Line::styled(cell::cut(note, width).into_owned(), theme.dim()));
    }
    let left = writer.left();
    let room = if left < DIVIDED {
        left.saturating_sub(1)
    } else {
        view.rows.len().min((left / 3).max(3))
    };
    writer.lines(&list::lines(snapshot, view, (width, room), theme));
    if left >= DIVIDED {
        writer.skip();
        writer.lines(&finding_detail::fitting(found, style, writer.left()));
    }
    room
}

/// Why there is nothing to see, when there is something.
pub(super) fn nothing_matches(noun: &str, filter: &Filter) -> String {
    if filter.text.is_empty() {
        format!("No {noun} of the processes asked for.")
    } else {
        format!(
            "No {noun} matches “{}”. / changes the filter.",
            text::printable(&filter.text)
        )
    }
}

/// Words as the screen says that there is nothing to list.
pub(super) fn indented(words: &str, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let lines = cell::wrapped(words, width.saturating_sub(4));
    let line = |words| Line::styled(format!("  {words}"), theme.dim());
    lines.into_iter().map(line).collect()
}
