//! Renders findings and pending-flush windows as text.

use pintrace_events::units::Nanos;
use pintrace_model::field::grid;
use pintrace_model::field::window::{COLUMNS, WindowColumn};
use pintrace_model::finding::text::{checked, counted, dropped};
use pintrace_model::finding::{Finding, WindowTotals};
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text;
use pintrace_text::{cut, wrap, wrap_after};

/// Most findings that a report describes; `--json` lists all findings.
const MOST_FINDINGS: usize = 20;
/// The indent of each line of a finding after the first.
const INDENT: &str = "  ";
/// Most frames shown of a stack. The innermost frames show the subsystem.
const FRAMES: usize = 8;

/// Returns the findings section of a report; empty without findings.
pub(super) fn section(snapshot: &Snapshot, width: usize) -> Vec<String> {
    if snapshot.findings.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        String::new(),
        format!("Findings: {}", counted(&snapshot.findings)),
    ];
    for found in snapshot.findings.iter().take(MOST_FINDINGS) {
        lines.push(String::new());
        lines.extend(described(found, start(snapshot), width));
    }
    let more = snapshot.findings.len().saturating_sub(MOST_FINDINGS);
    if more > 0 {
        lines.extend([
            String::new(),
            format!("... and {more} more: --json lists all findings."),
        ]);
    }
    lines.extend(dropped(snapshot.findings_dropped));
    lines
}

/// Returns the time at which the stream began.
#[must_use]
pub fn start(snapshot: &Snapshot) -> Nanos {
    snapshot.time.since(snapshot.duration)
}

/// Returns a finding with its evidence, in lines no wider than `width` where the words allow. `start` is the time at
/// which the stream began.
#[must_use]
pub fn described(found: &Finding, start: Nanos, width: usize) -> Vec<String> {
    let mut lines = vec![
        cut(
            &format!("{} {}: {}", found.severity, found.title(), found.whose()),
            width,
        )
        .into_owned(),
    ];
    let [first, last] = [found.first, found.last].map(|time| text::span(time.since(start)));
    let when = if first == last {
        format!("{last} after the start")
    } else {
        format!("{first} to {last} after the start")
    };
    lines.extend(wrap_after(
        INDENT,
        &format!("{}, {}, {when}", found.place(), found.times()),
        width,
    ));
    lines.extend(wrap_after(INDENT, found.explanation, width));
    if let Some(pin) = &found.pin {
        lines.extend(wrap_after(
            INDENT,
            &format!("{}: {}", pin.held_how(), pin.sentence()),
            width,
        ));
        lines.extend(stack(&pin.stack, width));
    }
    if let Some(trigger) = &found.trigger {
        lines.extend(wrap_after(
            INDENT,
            &format!("Then: {}", trigger.sentence()),
            width,
        ));
        lines.extend(stack(&trigger.stack, width));
    }
    lines.extend(wrap_after(INDENT, &format!("To do: {}", found.advice), width));
    lines
}

fn stack(frames: &[String], width: usize) -> Vec<String> {
    let shown = frames.iter().take(FRAMES);
    let mut lines: Vec<String> = shown
        .map(|frame| cut(&format!("      {}", text::printable(frame)), width).into_owned())
        .collect();
    if frames.len() > FRAMES {
        lines.push(format!("      ... and {} more", frames.len() - FRAMES));
    }
    lines
}

/// Returns the table of the pending-flush windows; empty without windows.
pub(super) fn windows(snapshot: &Snapshot, width: usize) -> Vec<String> {
    if snapshot.windows.is_empty() {
        return Vec::new();
    }
    let columns: Vec<&WindowColumn> = COLUMNS.iter().collect();
    let rows: Vec<&WindowTotals> = snapshot.windows.iter().collect();
    let mut lines = vec![
        String::new(),
        "Flush windows, from a write protection to the end of its TLB flush:".to_owned(),
    ];
    lines.extend(grid::lines(
        &columns,
        &rows,
        snapshot.time,
        width,
        grid::Digits::All,
    ));
    lines.extend(wrap(&checked(snapshot.flush_check), width));
    lines
}
