//! The query of the filter line, parsed for each kind of row.

use std::sync::Arc;

use pintrace_model::finding::{Finding, WindowTotals};
use pintrace_model::pin_calls::{InFlight, PinCallRow};
use pintrace_model::registrations::FailedRegistration;
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_query::rows::{CALLS_IN_FLIGHT, FAILED_REGISTRATIONS, FINDINGS, PIN_CALLS, PROCESSES, WINDOWS};
use pintrace_query::{Completions, Query, QueryError, begins_keyword, complete, values_of};

/// A query for rows of one kind, or the reason why these rows cannot be asked.
type Parsed<T> = Result<Query<T>, QueryError>;

/// A kind of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    Process,
    Finding,
    Window,
    PinCall,
    InFlight,
    FailedRegistration,
}

/// One query for all kinds of rows. A kind that lacks a field of the query has an error instead.
#[derive(Clone, Debug)]
pub(super) struct Queries {
    /// The text of the query.
    pub(super) text: String,
    pub(super) processes: Parsed<Process>,
    pub(super) findings: Parsed<Finding>,
    pub(super) windows: Parsed<WindowTotals>,
    pub(super) pin_calls: Parsed<PinCallRow>,
    pub(super) in_flight: Parsed<InFlight>,
    pub(super) failed_registrations: Parsed<FailedRegistration>,
}

impl Queries {
    pub(super) fn parse(text: &str) -> Self {
        Self {
            text: text.trim().to_owned(),
            processes: Query::parse(text, &PROCESSES),
            findings: Query::parse(text, &FINDINGS),
            windows: Query::parse(text, &WINDOWS),
            pin_calls: Query::parse(text, &PIN_CALLS),
            in_flight: Query::parse(text, &CALLS_IN_FLIGHT),
            failed_registrations: Query::parse(text, &FAILED_REGISTRATIONS),
        }
    }

    /// Returns true if the text is a query for rows of at least one kind.
    pub(super) fn is_query(&self) -> bool {
        self.processes.is_ok()
            || self.findings.is_ok()
            || self.windows.is_ok()
            || self.pin_calls.is_ok()
            || self.in_flight.is_ok()
            || self.failed_registrations.is_ok()
    }

    /// Returns the reason why rows of a kind cannot be asked.
    pub(super) fn error(&self, kind: RowKind) -> Option<&QueryError> {
        match kind {
            RowKind::Process => self.processes.as_ref().err(),
            RowKind::Finding => self.findings.as_ref().err(),
            RowKind::Window => self.windows.as_ref().err(),
            RowKind::PinCall => self.pin_calls.as_ref().err(),
            RowKind::InFlight => self.in_flight.as_ref().err(),
            RowKind::FailedRegistration => self.failed_registrations.as_ref().err(),
        }
    }
}

/// Returns true if the text ends in the beginning of a keyword or of a name of a field, and not in a value.
pub(super) fn begins_more(text: &str, kind: RowKind) -> bool {
    let text = text.trim_end();
    let (before, word) = match text
        .char_indices()
        .rfind(|(_, one)| one.is_whitespace() || *one == '(')
    {
        Some((start, _)) => (text[..start].trim_end(), &text[start..]),
        None => ("", text),
    };
    let word = word.trim_start_matches(|one: char| one.is_whitespace() || one == '(');
    if word.is_empty() || before.ends_with(['=', '<', '>', '~']) {
        return false;
    }
    if begins_keyword(word) {
        return true;
    }
    match kind {
        RowKind::Process => PROCESSES.begins_name(word),
        RowKind::Finding => FINDINGS.begins_name(word),
        RowKind::Window => WINDOWS.begins_name(word),
        RowKind::PinCall => PIN_CALLS.begins_name(word),
        RowKind::InFlight => CALLS_IN_FLIGHT.begins_name(word),
        RowKind::FailedRegistration => FAILED_REGISTRATIONS.begins_name(word),
    }
}

/// Returns what can stand at the end of a query for rows of a kind. Values are those of the snapshot.
pub(super) fn completions(text: &str, kind: RowKind, snapshot: &Snapshot) -> Completions {
    let (end, now) = (text.len(), snapshot.time);
    match kind {
        RowKind::Process => complete(text, end, &PROCESSES, &|field| {
            values_of(field, snapshot.processes.iter().map(Arc::as_ref), now)
        }),
        RowKind::Finding => complete(text, end, &FINDINGS, &|field| {
            values_of(field, &snapshot.findings, now)
        }),
        RowKind::Window => complete(text, end, &WINDOWS, &|field| {
            values_of(field, &snapshot.windows, now)
        }),
        RowKind::PinCall => complete(text, end, &PIN_CALLS, &|field| {
            values_of(field, snapshot.pin_calls.iter(), now)
        }),
        RowKind::InFlight => complete(text, end, &CALLS_IN_FLIGHT, &|field| {
            values_of(field, &snapshot.calls_in_flight, now)
        }),
        RowKind::FailedRegistration => complete(text, end, &FAILED_REGISTRATIONS, &|field| {
            values_of(field, &snapshot.failed_registrations, now)
        }),
    }
}
