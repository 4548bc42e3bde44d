//! One finding as lines: kind, place, meaning, the pin, the event that conflicts with the pin, and advice.

use ratatui::text::{Line, Span};

use pintrace_events::units::Nanos;
use pintrace_model::finding::Finding;
use pintrace_model::text;
use pintrace_text::cut;

use super::super::labelled::labelled;
use super::super::stack;
use super::super::theme::Theme;

/// Columns of the labels.
const LABEL: usize = 8;

/// The age of an event at the moment of the snapshot.
const NOW: &str = "now";

/// Returns the time from `then` to `now` as text.
pub(super) fn ago(then: Nanos, now: Nanos) -> String {
    match now.since(then) {
        Nanos(0) => NOW.to_owned(),
        span => text::span(span),
    }
}

/// The space and the style for the lines of a finding.
#[derive(Clone, Copy, Debug)]
pub(super) struct DetailStyle {
    /// Moment of the snapshot.
    pub(super) now: Nanos,
    pub(super) width: usize,
    /// Maximum number of frames of a stack.
    pub(super) frames: usize,
    pub(super) theme: Theme,
}

/// Returns the lines of a finding.
pub(super) fn lines(found: &Finding, style: DetailStyle) -> Vec<Line<'static>> {
    let DetailStyle { width, theme, .. } = style;
    let title = format!("{}: {}", found.title(), found.whose());
    let severity = found.severity.as_str();
    let room = width.saturating_sub(severity.len() + 1);
    let mut lines = vec![Line::from(vec![
        Span::styled(severity, theme.severity(found.severity)),
        Span::styled(format!(" {}", cut(&title, room)), theme.strong()),
    ])];
    let place = format!("{}, {}, {}", found.place(), found.times(), when(found, style.now));
    lines.extend(paragraph("where", &place, style));
    lines.extend(paragraph("means", found.explanation, style));
    if let Some(pin) = &found.pin {
        let how = if pin.reference { "held" } else { "pinned" };
        lines.extend(paragraph(how, &pin.sentence(), style));
        lines.extend(frames(&pin.stack, style));
    }
    if let Some(trigger) = &found.trigger {
        lines.extend(paragraph("then", &trigger.sentence(), style));
        lines.extend(frames(&trigger.stack, style));
    }
    lines.extend(paragraph("to do", found.advice, style));
    lines
}

/// Returns the lines that fit into `room`. Stacks are shortened first.
pub(super) fn fitting(found: &Finding, style: DetailStyle, room: usize) -> Vec<Line<'static>> {
    let with = |frames| lines(found, DetailStyle { frames, ..style });
    let most = (0..=style.frames)
        .rev()
        .map(with)
        .find(|lines| lines.len() <= room);
    most.unwrap_or_else(|| {
        let mut cut = with(0);
        cut.truncate(room.saturating_sub(1));
        cut.push(Line::styled("… Enter shows all of it", style.theme.dim()));
        cut
    })
}

fn when(found: &Finding, now: Nanos) -> String {
    let (first, last) = (ago(found.first, now), ago(found.last, now));
    let words = |span: String| if span == NOW { span } else { format!("{span} ago") };
    if first == last {
        words(last)
    } else {
        format!("first {}, last {}", words(first), words(last))
    }
}

fn paragraph(label: &str, words: &str, style: DetailStyle) -> Vec<Line<'static>> {
    labelled((label, LABEL, style.theme.dim()), words, style.width, style.theme)
}

fn frames(all: &[String], style: DetailStyle) -> Vec<Line<'static>> {
    let shown = all.get(..style.frames).unwrap_or(all);
    let mut lines = stack::lines(shown, LABEL + 2, style.width, style.theme);
    if shown.len() < all.len() && !shown.is_empty() {
        let more = format!("{}… {} more", " ".repeat(LABEL + 2), all.len() - shown.len());
        lines.push(Line::styled(more, style.theme.dim()));
    }
    lines
}
