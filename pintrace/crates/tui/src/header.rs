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
struct Item {
    spans: Vec<Span<'static>>,
    rank: u8,
}

impl Item {
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
    let mut items = truth(snapshot, theme);
    items.extend(loss(snapshot, theme));
    match snapshot.state {
        Some(state) if snapshot.started.probes.is_empty() => {
            items.push(figure("looked in", text::span(Nanos(state.took_ns)), 4, theme));
        }
        _ => items.push(probes(snapshot, theme)),
    }
    items.extend(untraced(snapshot, theme));
    if snapshot.truth.healed_pages > 0 {
        items.push(figure(
            "healed",
            snapshot.truth.healed_pages.to_string(),
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
fn origin(snapshot: &Snapshot, frozen: bool, theme: Theme) -> Vec<Item> {
    let started = &snapshot.started;
    let item = |text: String, style| Item {
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
    if !started.witness.is_empty() && started.witness != "events" {
        items.push(item(
            format!("witness {}", text::printable(&started.witness)),
            theme.dim(),
        ));
    }
    items
}

/// How much was found, worst first, with the key that shows what.
fn findings(snapshot: &Snapshot, theme: Theme) -> Option<Item> {
    let worst = snapshot.findings.iter().map(|found| found.severity).max()?;
    let counted = format!("{} (f)", counted(&snapshot.findings));
    Some(match worst {
        Severity::Note => figure("found", counted, 3, theme),
        Severity::Hazard | Severity::Alarm => Item {
            rank: 1,
            ..alarm("found", &counted, theme)
        },
    })
}

/// What is not known where nothing is traced, and why nothing is.
fn untraced(snapshot: &Snapshot, theme: Theme) -> Vec<Item> {
    let started = &snapshot.started;
    if started.witness != "state" {
        return Vec::new();
    }
    let why = if started.without_events.is_empty() {
        "nothing is traced".to_owned()
    } else {
        text::printable(&started.without_events)
    };
    let columns = field::process::traced_titles().join(" ");
    vec![
        figure("not known", columns, 2, theme),
        figure("because", why, 3, theme),
    ]
}

/// Books, what the ledger knows of them, and the difference.
fn truth(snapshot: &Snapshot, theme: Theme) -> Vec<Item> {
    let ranked = [
        ("books_held", 2),
        ("ledger_held", 2),
        ("opening_held", 3),
        ("unaccounted", 0),
    ];
    let known = ranked
        .iter()
        .filter_map(|(id, rank)| Some((field::header::figure(id)?, *rank)));
    known
        .map(|(known, rank)| match ((known.value)(snapshot), rank) {
            (Value::Absent, 0) => alarm(known.title, "unknown: books unreadable", theme),
            (Value::Signed(pages), 0) if pages != 0 => alarm(known.title, &text::signed(pages), theme),
            (value, _) => figure(known.title, value.text(), rank, theme),
        })
        .collect()
}

/// `loss 0`, or every reason that is not 0.
fn loss(snapshot: &Snapshot, theme: Theme) -> Vec<Item> {
    let unfolded = ("unfolded", snapshot.unfolded);
    let mut reasons = snapshot
        .loss
        .iter()
        .copied()
        .chain([unfolded])
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

fn probes(snapshot: &Snapshot, theme: Theme) -> Item {
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

fn figure(label: &str, value: String, rank: u8, theme: Theme) -> Item {
    Item {
        spans: vec![
            Span::styled(format!("{label} "), theme.dim()),
            Span::styled(value, theme.plain()),
        ],
        rank,
    }
}

/// A figure that must not be overlooked.
fn alarm(label: &str, value: &str, theme: Theme) -> Item {
    Item {
        spans: vec![Span::styled(format!("! {label} {value}"), theme.alarm())],
        rank: 0,
    }
}

/// Leaves out what yields soonest until the rest fits, and says when a loss had to go.
fn fit(mut items: Vec<Item>, width: usize, height: usize, theme: Theme) -> Vec<Line<'static>> {
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
fn flow(items: &[Item], width: usize) -> Vec<Line<'static>> {
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
fn shortened(item: &Item, width: usize) -> Line<'static> {
    if item.width() <= width {
        return Line::from(item.spans.clone());
    }
    let style = item.spans.last().map(|span| span.style).unwrap_or_default();
    let whole: String = item.spans.iter().map(|span| span.content.as_ref()).collect();
    Line::styled(cell::cut(&whole, width).into_owned(), style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pintrace_model::Model;
    use pintrace_testing::story::mishaps;

    #[test]
    fn what_was_found_is_counted_by_severity() {
        let mut model = Model::default();
        for event in &mishaps().events {
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
