//! The tabs of the views.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use pintrace_model::snapshot::Snapshot;

use super::clicks::{Click, Clicks};
use super::keymap::Action;
use super::theme::Theme;
use super::view::View;

/// Draws the tabs. The tab of the shown view is in brackets, for terminals without colour.
pub(super) fn draw(
    (shown, has_baseline): (View, bool),
    snapshot: &Snapshot,
    area: Rect,
    buffer: &mut Buffer,
    clicks: &mut Clicks,
    theme: Theme,
) {
    let width = usize::from(area.width);
    let forms: [fn(View, View) -> &'static str; 3] = [
        |view, _| view.title(),
        |view, _| view.short_title(),
        |view, shown| if view == shown { view.short_title() } else { "" },
    ];
    // Without a baseline there are no changes to show.
    let is_shown = |view: &View| *view != View::Changes || has_baseline || shown == View::Changes;
    let views: Vec<View> = View::ALL.into_iter().filter(is_shown).collect();
    let texts = forms.iter().map(|title| {
        let tabs = views.iter().map(|&view| {
            let title = title(view, shown);
            let space = if title.is_empty() { "" } else { " " };
            let text = format!("{}{space}{title}{}", view.digit(), count(view, snapshot));
            if view == shown {
                format!("[{text}]")
            } else {
                format!(" {text}")
            }
        });
        tabs.collect::<Vec<String>>()
    });
    let fits = |tabs: &Vec<String>| tabs.iter().map(|tab| pintrace_text::width(tab)).sum::<usize>() <= width;
    let mut texts: Vec<_> = texts.collect();
    let narrowest = texts.pop();
    let Some(tabs) = texts.into_iter().find(fits).or(narrowest) else {
        return;
    };
    let mut spans = Vec::new();
    let mut x = area.x;
    for (view, tab) in views.iter().copied().zip(tabs) {
        let columns = u16::try_from(pintrace_text::width(&tab)).unwrap_or(u16::MAX);
        let place = Rect::new(x, area.y, columns, 1);
        clicks.add(place, Click::Act(Action::Show(view)));
        x = x.saturating_add(columns);
        let style = if view == shown {
            theme.accent()
        } else {
            theme.dim()
        };
        spans.push(Span::styled(tab, style));
    }
    Line::from(spans).render(area, buffer);
}

/// Returns the number of findings after the tab of the findings, so that nobody has to look for them.
fn count(view: View, snapshot: &Snapshot) -> String {
    match (view, snapshot.findings.len()) {
        (View::Findings, 1..) => format!(" ({})", snapshot.findings.len()),
        _ => String::new(),
    }
}
