//! The lines above every screen: host, kernel and mode, and the figures that show whether the trace is complete.

mod items;

use ratatui::text::{Line, Span};

use pintrace_model::snapshot::Snapshot;

use super::flow::{self, FlowItem, pair};
use super::keymap::Remapped;
use super::theme::Theme;
use super::time::MomentWords;

/// What the header shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeaderScene<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) moment: &'a MomentWords,
    /// Size of the recording that is being written, in bytes.
    pub(super) recording: Option<u64>,
    pub(super) keys: &'a Remapped,
    pub(super) theme: Theme,
}

/// Returns the header in at most `height` lines of `width` columns.
pub(super) fn lines(scene: HeaderScene<'_>, width: usize, height: usize) -> Vec<Line<'static>> {
    let HeaderScene { moment, theme, .. } = scene;
    let mut origin = items::origin(scene);
    // The moment on the screen matters more than the name of the program.
    if *moment != MomentWords::Present && flow_lines(&origin[..origin.len().min(2)], width).len() > 1 {
        origin.remove(0);
    }
    let mut lines = flow_lines(&origin, width);
    lines.truncate(1);
    let room = height.saturating_sub(lines.len());
    let mut figures = items::figures(scene);
    if let MomentWords::Replay {
        early_end: Some(why), ..
    } = moment
    {
        figures.insert(0, HeaderItem::alarm("recording", why, theme));
    }
    lines.extend(fit(figures, width, room, scene));
    lines
}

/// An item of the header. If the header is too small, the item with the highest rank is left out first.
struct HeaderItem {
    spans: FlowItem,
    rank: u8,
}

impl HeaderItem {
    fn plain(spans: FlowItem) -> Self {
        Self { spans, rank: 0 }
    }

    fn figure(label: &str, value: String, rank: u8, theme: Theme) -> Self {
        let spans = pair(label, value, theme);
        Self { spans, rank }
    }

    /// Returns a figure that should be 0, with a `!` and rank 0.
    fn alarm(label: &str, value: &str, theme: Theme) -> Self {
        Self::plain(vec![Span::styled(format!("! {label} {value}"), theme.alarm())])
    }

    fn with_rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }
}

fn flow_lines(items: &[HeaderItem], width: usize) -> Vec<Line<'static>> {
    flow::lines(items.iter().map(|item| &item.spans), width)
}

/// Leaves out items until the rest fits. An item of rank 1 is an alarm: the header shows the number of hidden alarms.
fn fit(
    mut items: Vec<HeaderItem>,
    width: usize,
    height: usize,
    scene: HeaderScene<'_>,
) -> Vec<Line<'static>> {
    let mut hidden = 0;
    loop {
        let lines = flow_lines(&items, width);
        let most = items.iter().map(|item| item.rank).max().unwrap_or(0);
        if lines.len() <= height || most == 0 {
            return lines;
        }
        let Some(index) = items.iter().rposition(|item| item.rank == most) else {
            return lines;
        };
        items.remove(index);
        if most == 1 {
            // The new count takes the place of the count before.
            if hidden > 0
                && let Some(note) = items.iter().rposition(|item| item.rank == 0)
            {
                items.remove(note);
            }
            hidden += 1;
            items.push(HeaderItem::alarm(
                &format!("{hidden} more"),
                &format!("({})", scene.keys.key_of("help")),
                scene.theme,
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pintrace_model::Model;
    use pintrace_testing::event_builder::finding_fixtures;

    #[test]
    fn a_narrow_header_names_the_moment_instead_of_the_program() {
        let first = |width| {
            let scene = HeaderScene {
                snapshot: &Snapshot::default(),
                moment: &MomentWords::Paused("1m30s".to_owned()),
                recording: None,
                keys: &Remapped::default(),
                theme: Theme::new(false),
            };
            lines(scene, width, 1)[0].to_string()
        };
        assert_eq!(first(60), "pintrace   PAUSED 1m30s ago (z)   up 0ns");
        assert_eq!(first(30), "PAUSED 1m30s ago (z)   up 0ns");
    }

    #[test]
    fn findings_are_counted_by_severity() {
        let mut model = Model::default();
        for event in &finding_fixtures().events {
            model.apply(event);
        }
        let shown = |snapshot: &Snapshot| {
            let scene = HeaderScene {
                snapshot,
                moment: &MomentWords::Present,
                recording: None,
                keys: &Remapped::default(),
                theme: Theme::new(false),
            };
            lines(scene, 120, 6)
        };
        let lines = shown(&model.snapshot());
        let text: String = lines.iter().map(ToString::to_string).collect();
        assert!(
            text.contains("! found 2 alarms, 2 hazards, 3 notes (key 6)"),
            "{text}"
        );
        let none = shown(&Snapshot::default());
        assert!(none.iter().all(|line| !line.to_string().contains("found")));
    }
}
