//! The items of the header and their ranks.

use std::collections::BTreeMap;

use ratatui::style::Style;
use ratatui::text::Span;

use pintrace_events::units::Nanos;
use pintrace_model::field::header::Figure;
use pintrace_model::field::{self, Value};
use pintrace_model::finding::Severity;
use pintrace_model::finding::text::counted;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::{loss, suppressed, text};

use super::super::theme::Theme;
use super::super::time::MomentWords;
use super::{HeaderItem, HeaderScene};

/// Returns the items below the first line.
pub(super) fn figures(scene: HeaderScene<'_>) -> Vec<HeaderItem> {
    let HeaderScene { snapshot, theme, .. } = scene;
    let mut items = balance(snapshot, theme);
    items.extend(losses(snapshot, theme));
    match snapshot.scan {
        Some(state) if snapshot.started.probes.is_empty() => {
            let took = text::span(Nanos(state.took_ns));
            items.push(HeaderItem::figure("scan took", took, 4, theme));
        }
        _ => items.push(probes(snapshot, theme)),
    }
    items.extend(untraced(snapshot, theme));
    let reconciled = snapshot.balance.reconciled_pages;
    if reconciled > 0 {
        items.push(HeaderItem::figure("reconciled", reconciled.to_string(), 3, theme));
    }
    let missing = snapshot.started.missing.len();
    if missing > 0 {
        items.push(HeaderItem::alarm("probes missing", &missing.to_string(), theme).with_rank(1));
    }
    items.extend(calls_in_flight(scene));
    items.extend(findings(scene));
    items
}

/// Returns the age of the registration in flight that began first, with the key that shows the pin calls, once it takes
/// longer than a second.
fn calls_in_flight(scene: HeaderScene<'_>) -> Option<HeaderItem> {
    const NOTICEABLE: Nanos = Nanos(1_000_000_000);
    let HeaderScene { snapshot, theme, .. } = scene;
    let began = snapshot.calls_in_flight.first()?.registration_began();
    let age = snapshot.time.since(began);
    let calls = snapshot.calls_in_flight.len();
    let key = scene.keys.named_key_of("view pin-calls");
    let text = match calls {
        1 => format!("{} ({key})", text::span(age)),
        _ => format!("{} and {} more ({key})", text::span(age), calls - 1),
    };
    (age >= NOTICEABLE).then(|| HeaderItem::figure("pinning for", text, 2, theme))
}

/// Returns host, kernel and mode of the session, for the first line of the header, the most important first.
pub(super) fn origin(scene: HeaderScene<'_>) -> Vec<HeaderItem> {
    let HeaderScene {
        snapshot,
        moment,
        recording,
        keys,
        theme,
    } = scene;
    let started = &snapshot.started;
    let item = |text: String, style: Style| HeaderItem::plain(vec![Span::styled(text, style)]);
    let mut items = vec![item("pintrace".to_owned(), theme.strong())];
    match moment {
        MomentWords::Present => {}
        MomentWords::Paused(age) => items.push(item(
            format!("PAUSED {age} ago ({})", keys.key_of("pause")),
            theme.accent(),
        )),
        MomentWords::Replay { words, key, .. } => {
            let key = keys.key_of(key);
            items.push(item(format!("{words} ({key})"), theme.accent()));
        }
    }
    if let Some(bytes) = recording {
        items.push(item(
            format!("RECORDING {} ({})", text::bytes(bytes), keys.key_of("record")),
            theme.accent(),
        ));
    }
    if snapshot.stopped {
        items.push(item("ENDED".to_owned(), theme.accent()));
    }
    // A replay has the time since the start already.
    if !matches!(moment, MomentWords::Replay { .. }) {
        items.push(item(
            format!("up {}", text::span(snapshot.duration)),
            theme.plain(),
        ));
    }
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

/// Returns the numbers of findings, worst first, with the key that shows the findings.
fn findings(scene: HeaderScene<'_>) -> Option<HeaderItem> {
    let HeaderScene { snapshot, theme, .. } = scene;
    let worst = snapshot.findings.iter().map(|found| found.severity).max()?;
    let counted = format!(
        "{} ({})",
        counted(&snapshot.findings),
        scene.keys.named_key_of("view findings")
    );
    Some(match worst {
        Severity::Note => HeaderItem::figure("found", counted, 3, theme),
        Severity::Hazard | Severity::Alarm => HeaderItem::alarm("found", &counted, theme).with_rank(1),
    })
}

/// Returns the columns that are unknown in mode scan, and the reason why nothing is traced.
fn untraced(snapshot: &Snapshot, theme: Theme) -> Vec<HeaderItem> {
    let started = &snapshot.started;
    if started.mode != "scan" {
        return Vec::new();
    }
    let why = if started.without_trace.is_empty() {
        "--mode scan".to_owned()
    } else {
        text::printable(&started.without_trace)
    };
    let columns = field::process::traced_titles().join(" ");
    vec![
        HeaderItem::figure("nothing is traced:", why, 2, theme),
        HeaderItem::figure("unknown", columns, 3, theme),
    ]
}

/// Returns the pages held by vmstat and by the ledger, and the difference.
fn balance(snapshot: &Snapshot, theme: Theme) -> Vec<HeaderItem> {
    let ranked = [
        ("vmstat_held", 2),
        ("ledger_held", 2),
        ("preexisting_held", 3),
        ("in_flight", 3),
        ("unaccounted", 0),
    ];
    let known = ranked
        .iter()
        .filter_map(|(id, rank)| Some((field::header::figure(id)?, *rank)));
    let scans = snapshot.started.mode == "scan";
    let is_shown = |(known, _): &(&Figure, u8)| match known.id {
        "in_flight" => snapshot.balance.in_flight != 0,
        // A scan does not know which pins are older than the session.
        "preexisting_held" => !scans,
        _ => true,
    };
    let title = |known: &Figure| match known.id {
        "ledger_held" if scans => "scan",
        _ => known.title,
    };
    known
        .filter(is_shown)
        .map(|(known, rank)| match ((known.value)(snapshot), rank) {
            (Value::Absent, 0) => HeaderItem::alarm(known.title, "unknown: vmstat unreadable", theme),
            (Value::Signed(pages), 0) if pages != 0 => {
                HeaderItem::alarm(known.title, &text::signed(pages), theme)
            }
            (value, _) => HeaderItem::figure(title(known), value.text(), rank, theme),
        })
        .collect()
}

/// Returns every loss counter that is not 0, or `loss 0`. A loss that changes no figure is no alarm.
fn losses(snapshot: &Snapshot, theme: Theme) -> Vec<HeaderItem> {
    let unapplied = ("unapplied_events", snapshot.unapplied_events);
    let losses = snapshot.loss.iter().copied().chain([unapplied]);
    let (alarms, notes): (Vec<_>, Vec<_>) = losses
        .filter(|(_, count)| *count > 0)
        .partition(|(reason, _)| loss::changes_figures(reason));
    let mut items = Vec::new();
    if alarms.is_empty() {
        items.push(HeaderItem::figure("loss", "0".to_owned(), 0, theme));
    }
    for (index, (reason, count)) in alarms.iter().enumerate() {
        let label = if index == 0 {
            format!("loss {reason}")
        } else {
            (*reason).to_owned()
        };
        let item = HeaderItem::alarm(&label, &count.to_string(), theme);
        items.push(item.with_rank(u8::from(index != 0)));
    }
    for (reason, count) in notes {
        items.push(HeaderItem::figure(reason, count.to_string(), 4, theme));
    }
    if let Some(processes) = suppressed::processes(&snapshot.suppressed) {
        items.push(HeaderItem::alarm("changes of", &processes, theme).with_rank(1));
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
    HeaderItem::figure("probes", counts.join(", "), 4, theme)
}
