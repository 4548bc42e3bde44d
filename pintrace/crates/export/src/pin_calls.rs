//! Renders pin calls as text: calls in flight, a table by process and subsystem, the slowest registrations, failures.

use pintrace_model::field::grid;
use pintrace_model::field::pin_call::{COLUMNS, IN_FLIGHT, InFlightColumn, PinCallColumn};
use pintrace_model::pin_calls::{InFlight, PinCallRow, text};
use pintrace_model::registrations::sentence;
use pintrace_model::snapshot::Snapshot;
use pintrace_text::wrap;

/// Most rows and sentences of each kind; `--json` has all.
const MOST: usize = 20;

/// Returns the section of a report; empty if there was no call to report.
pub(super) fn section(snapshot: &Snapshot, width: usize) -> Vec<String> {
    let mut lines = in_flight(snapshot, width);
    lines.extend(calls(snapshot, width));
    lines.extend(refused(snapshot, width));
    lines
}

/// Returns the registrations that failed, one sentence each.
fn refused(snapshot: &Snapshot, width: usize) -> Vec<String> {
    let failed = &snapshot.failed_registrations;
    if failed.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        String::new(),
        "Refused registrations, the latest first:".to_owned(),
    ];
    let sentences = failed.iter().take(MOST).map(sentence);
    lines.extend(sentences.flat_map(|sentence| wrap(&sentence, width)));
    lines.extend(more(failed.len()));
    lines
}

fn in_flight(snapshot: &Snapshot, width: usize) -> Vec<String> {
    if snapshot.calls_in_flight.is_empty() {
        return Vec::new();
    }
    let columns: Vec<&InFlightColumn> = IN_FLIGHT.iter().collect();
    let rows: Vec<&InFlight> = snapshot.calls_in_flight.iter().take(MOST).collect();
    let mut lines = vec![
        String::new(),
        "Pin calls in flight, the registration that began first at the top:".to_owned(),
    ];
    lines.extend(grid::lines(
        &columns,
        &rows,
        snapshot.time,
        width,
        grid::Digits::All,
    ));
    lines.extend(more(snapshot.calls_in_flight.len()));
    lines
}

fn calls(snapshot: &Snapshot, width: usize) -> Vec<String> {
    let mut rows: Vec<&PinCallRow> = snapshot.pin_calls.iter().collect();
    if rows.is_empty() {
        return Vec::new();
    }
    rows.sort_by_key(|row| std::cmp::Reverse((text::took(&row.totals.slowest), row.totals.failed())));
    let columns: Vec<&PinCallColumn> = COLUMNS.iter().collect();
    let mut lines = vec![
        String::new(),
        "Pin calls, the slowest registration at the top:".to_owned(),
    ];
    let all = rows.len();
    rows.truncate(MOST);
    lines.extend(grid::lines(
        &columns,
        &rows,
        snapshot.time,
        width,
        grid::Digits::All,
    ));
    lines.extend(more(all));
    let slowest = rows.iter().filter_map(|row| text::slowest(row)).take(1);
    let failures = rows.iter().filter_map(|row| text::failures(row));
    lines.extend(
        slowest
            .chain(failures)
            .flat_map(|sentence| wrap(&sentence, width)),
    );
    lines
}

fn more(all: usize) -> Option<String> {
    (all > MOST).then(|| format!("... and {} more: --json lists all.", all - MOST))
}
