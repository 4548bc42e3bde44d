//! Divides the view: what it lists, what nobody looks for, the list, and the one under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use pintrace_model::finding::served::unserved;
use pintrace_model::finding::text::dropped;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text;

use super::super::cell;
use super::super::order::Filter;
use super::super::pen::Pen;
use super::super::tabs::Tab;
use super::super::theme::Theme;
use super::state::{Findings, Part, Whole};
use super::whole::{self, Look};
use super::{list, windows};

/// Frames of a stack beside the list: whose the call was stands among the innermost.
const FRAMES: usize = 8;
/// With fewer lines than this, the list has them all.
const DIVIDED: usize = 9;

/// Draws the view and returns how many entries or lines a page has.
pub(crate) fn draw(
    view: &mut Findings,
    snapshot: &Snapshot,
    filter: &Filter,
    (area, buffer): (Rect, &mut Buffer),
    theme: Theme,
) -> usize {
    let mut pen = Pen::new(area, buffer);
    let look = Look {
        now: snapshot.time,
        width: usize::from(area.width),
        frames: FRAMES,
        theme,
    };
    match view.whole(snapshot) {
        Whole::Shown(found) => {
            let look = Look {
                frames: usize::MAX,
                ..look
            };
            let lines = whole::lines(found, look);
            let room = pen.left();
            view.first_line = view.first_line.min(lines.len().saturating_sub(room));
            view.lines = lines.len();
            pen.lines(lines.get(view.first_line..).unwrap_or_default());
            return room;
        }
        Whole::Gone => {
            view.lines = 0;
            let gone = "This finding has given way to a worse one. Esc goes back.";
            pen.line(&Line::styled(gone, theme.dim()));
            return 0;
        }
        Whole::None => {}
    }
    pen.line(&tabs(view, snapshot, theme));
    match view.part {
        Part::Findings => findings(view, snapshot, filter, &mut pen, look),
        Part::Windows => windows::draw(view, snapshot, filter, &mut pen, (look.width, theme)),
    }
}

fn tabs(view: &Findings, snapshot: &Snapshot, theme: Theme) -> Line<'static> {
    let tab = |part, name, count| Tab {
        name,
        count,
        open: view.part == part,
    };
    let tabs = [
        tab(Part::Findings, "findings", snapshot.findings.len()),
        tab(Part::Windows, "flush windows", snapshot.windows.len()),
    ];
    Tab::line(&tabs, theme)
}

fn findings(view: &Findings, snapshot: &Snapshot, filter: &Filter, pen: &mut Pen<'_>, look: Look) -> usize {
    let Look { width, theme, .. } = look;
    let notes = [unserved(&snapshot.started), dropped(snapshot.findings_dropped)];
    let Some(found) = view.under_cursor(snapshot) else {
        let empty = if snapshot.findings.is_empty() {
            format!(
                "Nothing found. {}",
                notes.into_iter().flatten().collect::<Vec<_>>().join(" ")
            )
        } else {
            nothing_matches("finding", filter)
        };
        pen.skip();
        pen.lines(&indented(&empty, width, theme));
        return 0;
    };
    for note in notes.iter().flatten() {
        pen.line(&Line::styled(cell::cut(note, width).into_owned(), theme.dim()));
    }
    let left = pen.left();
    let room = if left < DIVIDED {
        left.saturating_sub(1)
    } else {
        view.rows.len().min((left / 3).max(3))
    };
    pen.lines(&list::lines(snapshot, view, (width, room), theme));
    if left >= DIVIDED {
        pen.skip();
        pen.lines(&whole::fitting(found, look, pen.left()));
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
