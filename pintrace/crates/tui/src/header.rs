//! The lines above every screen: whose trace this is, and whether its figures can be believed.

use std::collections::BTreeMap;

use ratatui::text::{Line, Span};

use pintrace_events::units::Nanos;
use pintrace_model::field::{self, Value};
use pintrace_model::finding::Severity;
use pintrace_model::finding::text::counted;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text;

use super::cell;
use super::theme::Theme;

/// Columns between two items.
const GAP: usize = 3;

/// Something that stands whole on one line. The higher its rank, the sooner it yields to lack of room.
struct HeaderItem {
    spans: Vec<Span<'static>>,
    rank: u8,
}

impl HeaderItem {
    fn width(&self) -> usize {
        self.spans.iter().map(Span::width).sum()
    }
}

/// The header, in at most `height` lines of `width` columns.
pub(super) fn lines(
    snapshot: &Snapshot,
    frozen: bool,
    width: usize,
    height: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let mut lines = flow(&origin(snapshot, frozen, theme), width);
    lines.truncate(1);
    let mut items = balance(snapshot, theme);
    items.extend(loss(snapshot, theme));
    match snapshot.scan {
        Some(state) if snapshot.started.probes.is_empty() => {
            items.push(figure("looked in", text::span(Nanos(state.took_ns)), 4, theme));
        }
        _ => items.push(probes(snapshot, theme)),
    }
    items.extend(untraced(snapshot, theme));
    if snapshot.balance.reconciled_pages > 0 {
        items.push(figure(
            "reconciled",
            snapshot.balance.reconciled_pages.to_string(),
            3,
            theme,
        ));
    }
    if !snapshot.started.missing.is_empty() {
        let mut item = alarm(
            "probes missing",
            &snapshot.started.missing.len().to_string(),
            theme,
        );
        item.rank = 1;
        items.push(item);
    }
    items.extend(findings(snapshot, theme));
    let room = height.saturating_sub(lines.len());
    lines.extend(fit(items, width, room, theme));
    lines
}

/// Whose trace this is, most telling first: what does not fit on the line is left out.
fn origin(snapshot: &Snapshot, frozen: bool, theme: Theme) -> Vec<HeaderItem> {
    let started = &snapshot.started;
    let item = |text: String, style| HeaderItem {
        spans: vec![Span::styled(text, style)],
        rank: 0,
    };
    let mut items = vec![item("pintrace".to_owned(), theme.strong())];
    if frozen {
        items.push(item("FROZEN".to_owned(), theme.accent()));
    }
    if snapshot.stopped {
        items.push(item("ENDED".to_owned(), theme.accent()));
    }
    items.push(item(
        format!("up {}", text::span(snapshot.duration)),
        theme.plain(),
    ));
    let kernel = if started.kernel.is_empty() {
        String::new()
    } else {
        format!("Linux {}", started.kernel)
    };
    for name in [&started.host, &kernel] {
        if !name.is_empty() {
            items.push(item(text::printable(name), theme.plain()));
        }
    }
    if !started.mode.is_empty() && started.mode != "trace" {
        items.push(item(
            format!("mode {}", text::printable(&started.mode)),
            theme.dim(),
        ));
    }
    items
}

/// How much was found, worst first, with the key that shows what.
fn findings(snapshot: &Snapshot, theme: Theme) -> Option<HeaderItem> {
    let worst = snapshot.findings.iter().map(|found| found.severity).max()?;
    let counted = format!("{} (f)", counted(&snapshot.findings));
    Some(match worst {
        Severity::Note => figure("found", counted, 3, theme),
        Severity::Hazard | Severity::Alarm => HeaderItem {
            rank: 1,
            ..alarm("found", &counted, theme)
        },
    })
}

/// What is not known where nothing is traced, and why nothing is.
fn untraced(snapshot: &Snapshot, theme: Theme) -> Vec<HeaderItem> {
    let started = &snapshot.started;
    if started.mode != "scan" {
        return Vec::new();
    }
    let why = if started.without_trace.is_empty() {
        "nothing is traced".to_owned()
    } else {
        text::printable(&started.without_trace)
    };
    let columns = field::process::traced_titles().join(" ");
    vec![
        figure("not known", columns, 2, theme),
        figure("because", why, 3, theme),
    ]
}

/// Vmstat, what the ledger knows of them, and the difference.
fn balance(snapshot: &Snapshot, theme: Theme) -> Vec<HeaderItem> {
    let ranked = [
        ("vmstat_held", 2),
        ("ledger_held", 2),
        ("preexisting_held", 3),
        ("unaccounted", 0),
    ];
    let known = ranked
        .iter()
        .filter_map(|(id, rank)| Some((field::header::figure(id)?, *rank)));
    known
        .map(|(known, rank)| match ((known.value)(snapshot), rank) {
            (Value::Absent, 0) => alarm(known.title, "unknown: vmstat unreadable", theme),
            (Value::Signed(pages), 0) if pages != 0 => alarm(known.title, &text::signed(pages), theme),
            (value, _) => figure(known.title, value.text(), rank, theme),
        })
        .collect()
}

/// `loss 0`, or every reason that is not 0.
fn loss(snapshot: &Snapshot, theme: Theme) -> Vec<HeaderItem> {
    let unapplied_events = ("unapplied_events", snapshot.unapplied_events);
    let mut reasons = snapshot
        .loss
        .iter()
        .copied()
        .chain([unapplied_events])
        .filter(|(_, count)| *count > 0)
        .peekable();
    if reasons.peek().is_none() {
        return vec![figure("loss", "0".to_owned(), 0, theme)];
    }
    let mut items = Vec::new();
    for (index, (reason, count)) in reasons.enumerate() {
        let label = if index == 0 {
            format!("loss {reason}")
        } else {
            reason.to_owned()
        };
        let mut item = alarm(&label, &count.to_string(), theme);
        item.rank = u8::from(index != 0);
        items.push(item);
    }
    items
}

fn probes(snapshot: &Snapshot, theme: Theme) -> HeaderItem {
    let mut methods = BTreeMap::<&str, usize>::new();
    for probe in &snapshot.started.probes {
        *methods.entry(&probe.method).or_default() += 1;
    }
    let mut counts: Vec<String> = methods
        .iter()
        .map(|(method, count)| format!("{count} {}", text::printable(method)))
        .collect();
    if counts.is_empty() {
        counts.push("0".to_owned());
    }
    figure("probes", counts.join(", "), 4, theme)
}

fn figure(label: &str, value: String, rank: u8, theme: Theme) -> HeaderItem {
    HeaderItem {
        spans: vec![
            Span::styled(format!("{label} "), theme.dim()),
            Span::styled(value, theme.plain()),
        ],
        rank,
    }
}

/// A figure that must not be overlooked.
fn alarm(label: &str, value: &str, theme: Theme) -> HeaderItem {
    HeaderItem {
        spans: vec![Span::styled(format!("! {label} {value}"), theme.alarm())],
        rank: 0,
    }
}

/// Leaves out what yields soonest until the rest fits, and says when a loss had to go.
fn fit(mut items: Vec<HeaderItem>, width: usize, height: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut hidden = 0;
    loop {
        let lines = flow(&items, width);
        let most = items.iter().map(|item| item.rank).max().unwrap_or(0);
        if lines.len() <= height || most == 0 {
            return lines;
        }
        let Some(index) = items.iter().rposition(|item| item.rank == most) else {
            return lines;
        };
        items.remove(index);
        if most == 1 {
            // The note takes the place of the last one that went.
            if hidden > 0
                && let Some(note) = items.iter().rposition(|item| item.rank == 0)
            {
                items.remove(note);
            }
            hidden += 1;
            items.push(alarm(&format!("{hidden} more"), "(?)", theme));
        }
    }
}

/// Items side by side, on as many lines as they take.
fn flow(items: &[HeaderItem], width: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if line.width() + GAP + item.width() <= width => {
                line.push_span(Span::raw(" ".repeat(GAP)));
                item.spans.iter().for_each(|span| line.push_span(span.clone()));
            }
            _ => lines.push(shortened(item, width)),
        }
    }
    lines
}

/// The item alone on its line, cut if even that is too narrow.
fn shortened(item: &HeaderItem, width: usize) -> Line<'static> {
    if item.width() <= width {
        return Line::from(item.spans.clone());
    }
    let style = item.spans.last().map(|span| span.style).unwrap_or_default();
    let open_finding: String = item.spans.iter().map(|span| span.content.as_ref()).collect();
    Line::styled(cell::cut(&open_finding, width).into_owned(), style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pintrace_model::Model;
    use pintrace_testing::event_builder::finding_fixtures;

    #[test]
    fn what_was_found_is_counted_by_severity() {
        let mut model = Model::default();
        for event in &finding_fixtures().events {
            model.apply(event);
        }
        let lines = lines(&model.snapshot(), false, 120, 6, Theme::new(false));
        let text: String = lines.iter().map(ToString::to_string).collect();
        assert!(
            text.contains("! found 2 alarms, 2 hazards, 3 notes (f)"),
            "{text}"
        );
        let none = super::lines(&Snapshot::default(), false, 120, 6, Theme::new(false));
        assert!(none.iter().all(|line| !line.to_string().contains("found")));
    }
}
