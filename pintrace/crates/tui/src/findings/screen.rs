//! Layout of the screens about findings: tabs, kinds that are not covered, the list, and the finding under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget};

use pintrace_model::finding::coverage::not_covered;
use pintrace_model::finding::text::dropped;
use pintrace_model::shed;
use pintrace_model::snapshot::Snapshot;
use pintrace_text::cut;

use super::super::filter::Filter;
use super::super::message;
use super::super::queries::RowKind;
use super::super::scroll::ScrollPosition;
use super::super::tabs::tabs;
use super::super::theme::Theme;
use super::finding_detail::{self, DetailStyle};
use super::state::{FindingsTab, FindingsView, OpenFinding};
use super::{list, windows};

/// Frames of a stack below the list. The caller of the pin is among the innermost.
const FRAMES: usize = 8;
/// With fewer lines, only the list is shown.
const DIVIDED: u16 = 9;

/// Draws the screen and returns how many entries or lines a page has.
pub(crate) fn draw(
    view: &mut FindingsView,
    snapshot: &Snapshot,
    filter: &Filter,
    (area, buffer): (Rect, &mut Buffer),
    theme: Theme,
) -> usize {
    match view.opened(snapshot) {
        OpenFinding::Shown(found) => {
            let lines = |width| {
                let now = snapshot.time;
                let frames = usize::MAX;
                let style = DetailStyle {
                    now,
                    width,
                    frames,
                    theme,
                };
                finding_detail::lines(found, style)
            };
            return view.scroll.draw(lines, area, buffer, theme);
        }
        OpenFinding::Gone => {
            let gone = "This finding was dropped, because the table of findings was full. Esc goes back.";
            view.scroll = ScrollPosition::default();
            message::draw(gone, 0, area, buffer, theme);
            return 0;
        }
        OpenFinding::None => {}
    }
    let [tabs_area, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let names = [
        ("findings", snapshot.findings.len()),
        ("flush windows", snapshot.windows.len()),
    ];
    let selected = usize::from(view.tab == FindingsTab::FlushWindows);
    tabs(names, selected, theme).render(tabs_area, buffer);
    match view.tab {
        FindingsTab::List => findings(view, snapshot, filter, (body, buffer), theme),
        FindingsTab::FlushWindows => windows::draw(view, snapshot, filter, (body, buffer), theme),
    }
}

fn findings(
    view: &FindingsView,
    snapshot: &Snapshot,
    filter: &Filter,
    (area, buffer): (Rect, &mut Buffer),
    theme: Theme,
) -> usize {
    let notes = [
        not_covered(&snapshot.started),
        snapshot.finding_hooks.note(),
        shed::note(&snapshot.shed),
        dropped(snapshot.findings_dropped),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    let Some(found) = view.under_cursor(snapshot) else {
        let empty = if snapshot.findings.is_empty() {
            format!("No findings. {}", notes.join(" "))
        } else {
            filter.nothing_matches("finding", RowKind::Finding)
        };
        message::draw(&empty, 1, area, buffer, theme);
        return 0;
    };
    let width = usize::from(area.width);
    let notes = notes
        .iter()
        .map(|note| Line::styled(cut(note, width).into_owned(), theme.dim()));
    let notes: Vec<Line<'_>> = notes.collect();
    let notes_height = u16::try_from(notes.len()).unwrap_or(u16::MAX).min(area.height);
    let left = area.height - notes_height;
    let rows = if left < DIVIDED {
        left.saturating_sub(1)
    } else {
        let rows = u16::try_from(view.rows.len()).unwrap_or(u16::MAX);
        rows.min((left / 3).max(3))
    };
    let heights = [notes_height, rows + 1, u16::from(left >= DIVIDED)].map(Constraint::Length);
    let [notes_height, list_height, gap] = heights;
    let layout = Layout::vertical([notes_height, list_height, gap, Constraint::Fill(1)]);
    let [notes_area, list_area, _, detail_area] = layout.areas(area);
    Paragraph::new(notes).render(notes_area, buffer);
    list::draw(view, snapshot, (list_area, &mut *buffer), theme);
    if left >= DIVIDED {
        let style = DetailStyle {
            now: snapshot.time,
            width,
            frames: FRAMES,
            theme,
        };
        let lines = finding_detail::fitting(found, style, usize::from(detail_area.height));
        Paragraph::new(lines).render(detail_area, buffer);
    }
    usize::from(rows)
}
