//! One finding as lines: kind, place, meaning, the pin, the event that conflicts with the pin, and advice.

use ratatui::text::{Line, Span};

use pintrace_events::units::Nanos;
use pintrace_model::finding::Finding;
use pintrace_model::text;
use pintrace_text::cut;

use super::super::stack;
use super::super::theme::Theme;
use super::figures::{LABEL, paragraph};

/// The age of an event at the moment of the snapshot.
const NOW: &str = "now";

/// Returns the lines of a finding.
pub(super) fn lines(found: &Finding, now: Nanos, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let title = format!("{}: {}", found.title(), found.whose());
    let severity = found.severity.as_str();
    let room = width.saturating_sub(severity.len() + 1);
    let mut lines = vec![Line::from(vec![
        Span::styled(severity, theme.severity(found.severity)),
        Span::styled(format!(" {}", cut(&title, room)), theme.strong()),
    ])];
    let place = format!("{}, {}, {}", found.place(), found.times(), when(found, now));
    lines.extend(paragraph("where", &place, width, theme));
    lines.extend(paragraph("means", found.explanation, width, theme));
    lines.extend(paragraph("to do", found.advice, width, theme));
    if let Some(pin) = &found.pin {
        let how = if pin.reference { "held" } else { "pinned" };
        lines.extend(paragraph(how, &pin.sentence(), width, theme));
        lines.extend(stack::lines(&pin.stack, LABEL + 1, width, theme));
    }
    if let Some(trigger) = &found.trigger {
        lines.extend(paragraph("then", &trigger.sentence(), width, theme));
        lines.extend(stack::lines(&trigger.stack, LABEL + 1, width, theme));
    }
    lines
}

fn when(found: &Finding, now: Nanos) -> String {
    let ago = |then: Nanos| match now.since(then) {
        Nanos(0) => NOW.to_owned(),
        span => text::span(span),
    };
    let (first, last) = (ago(found.first), ago(found.last));
    let words = |span: String| if span == NOW { span } else { format!("{span} ago") };
    if first == last {
        words(last)
    } else {
        format!("first {}, last {}", words(first), words(last))
    }
}
