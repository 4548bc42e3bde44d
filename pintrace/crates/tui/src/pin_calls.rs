//! The screen about pin calls: those in flight, and what the calls took and failed with.

use ratatui::text::Line;

use pintrace_model::field::Field;
use pintrace_model::field::grid::{self, Digits};
use pintrace_model::field::pin_call::{COLUMNS, IN_FLIGHT};
use pintrace_model::pin_calls::{InFlight, PinCallRow, text};
use pintrace_model::registrations;
use pintrace_model::snapshot::Snapshot;
use pintrace_text::wrap;

use super::filter::Filter;
use super::queries::RowKind;
use super::theme::Theme;

/// Returns the lines of the screen, `width` columns wide.
pub(super) fn lines(snapshot: &Snapshot, filter: &Filter, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let in_flight: Vec<&InFlight> = snapshot
        .calls_in_flight
        .iter()
        .filter(|call| filter.admits_in_flight(call, snapshot.time))
        .collect();
    let mut rows: Vec<&PinCallRow> = snapshot
        .pin_calls
        .iter()
        .filter(|row| filter.admits_pin_calls(row, snapshot.time))
        .collect();
    let mut lines: Vec<_> = lacking(snapshot, filter)
        .iter()
        .flat_map(|words| sentence(words, width, theme))
        .collect();
    if !in_flight.is_empty() {
        lines.push(Line::styled("Pin calls in flight", theme.strong()));
        lines.extend(table(IN_FLIGHT, &in_flight, snapshot, width, theme));
        lines.push(Line::default());
    }
    let refused: Vec<Line<'static>> = snapshot
        .failed_registrations
        .iter()
        .filter(|one| filter.admits_failed_registration(one, snapshot.time))
        .flat_map(|one| sentence(&registrations::sentence(one), width, theme))
        .collect();
    if !refused.is_empty() {
        lines.push(Line::styled("Refused registrations", theme.strong()));
        lines.extend(refused);
        lines.push(Line::default());
    }
    if rows.is_empty() {
        let empty = if snapshot.pin_calls.is_empty() {
            text::none(snapshot).to_owned()
        } else {
            filter.nothing_matches("pin call", RowKind::PinCall)
        };
        if lines.is_empty() {
            lines.extend(sentence(&empty, width, theme));
        }
        return lines;
    }
    rows.sort_by_key(|row| std::cmp::Reverse((text::took(&row.totals.slowest), row.totals.failed())));
    lines.push(Line::styled("Pin calls", theme.strong()));
    lines.extend(table(COLUMNS, &rows, snapshot, width, theme));
    lines.push(Line::default());
    let slowest = rows.iter().filter_map(|row| text::slowest(row)).take(1);
    let failures = rows.iter().filter_map(|row| text::failures(row));
    lines.extend(
        slowest
            .chain(failures)
            .flat_map(|words| sentence(&words, width, theme)),
    );
    lines
}

/// Returns a sentence for each list whose rows lack a field of the query.
fn lacking(snapshot: &Snapshot, filter: &Filter) -> Vec<String> {
    let lists = [
        (RowKind::InFlight, snapshot.calls_in_flight.is_empty()),
        (
            RowKind::FailedRegistration,
            snapshot.failed_registrations.is_empty(),
        ),
        (RowKind::PinCall, snapshot.pin_calls.is_empty()),
    ];
    let full = lists.into_iter().filter(|(_, is_empty)| !is_empty);
    full.filter_map(|(kind, _)| filter.lacks(kind)).collect()
}

fn table<T>(
    columns: &[Field<T>],
    rows: &[&T],
    snapshot: &Snapshot,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let columns: Vec<&Field<T>> = columns.iter().collect();
    let lines = grid::lines(&columns, rows, snapshot.time, width, Digits::Few);
    let styles = std::iter::once(theme.dim()).chain(std::iter::repeat(theme.plain()));
    lines
        .into_iter()
        .zip(styles)
        .map(|(line, style)| Line::styled(pintrace_text::cut(&line, width).into_owned(), style))
        .collect()
}

fn sentence(words: &str, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let lines = wrap(words, width).into_iter();
    lines.map(|line| Line::styled(line, theme.plain())).collect()
}
