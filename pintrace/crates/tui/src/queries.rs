//! The query of the filter line, parsed for each kind of row.

use std::sync::Arc;

use pintrace_model::finding::{Finding, WindowTotals};
use pintrace_model::pin_calls::{InFlight, PinCallRow};
use pintrace_model::registrations::FailedRegistration;
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_model::views::call_sites::{self, CallSiteRow};
use pintrace_model::views::cgroups::{self, CgroupRow};
use pintrace_model::views::difference::DifferenceRow;
use pintrace_model::views::holders::{self, HolderRow};
use pintrace_model::views::pin_list::{self, PinRow};
use pintrace_query::rows::{
    CALL_SITES, CALLS_IN_FLIGHT, CGROUPS, CHANGES, FAILED_REGISTRATIONS, FINDINGS, HOLDERS, PIN_CALLS, PINS,
    PROCESSES, WINDOWS,
};
use pintrace_query::{Completions, Query, QueryError, begins_keyword, complete, values_of};

/// A query for rows of one kind, or the reason why these rows cannot be asked.
pub(super) type Parsed<T> = Result<Query<T>, QueryError>;

/// A kind of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    Process,
    Cgroup,
    Holder,
    Pin,
    CallSite,
    Finding,
    Window,
    PinCall,
    /// Rows that compare two moments, which no snapshot has alone.
    Change,
}

/// One query for all kinds of rows. A kind that lacks a field of the query has an error instead.
#[derive(Clone, Debug)]
pub(super) struct Queries {
    /// The text of the query.
    pub(super) text: String,
    pub(super) processes: Parsed<Process>,
    pub(super) cgroups: Parsed<CgroupRow>,
    pub(super) holders: Parsed<HolderRow>,
    pub(super) pins: Parsed<PinRow>,
    pub(super) call_sites: Parsed<CallSiteRow>,
    pub(super) findings: Parsed<Finding>,
    pub(super) windows: Parsed<WindowTotals>,
    pub(super) pin_calls: Parsed<PinCallRow>,
    pub(super) in_flight: Parsed<InFlight>,
    pub(super) failed_registrations: Parsed<FailedRegistration>,
    pub(super) changes: Parsed<DifferenceRow>,
}

impl Queries {
    pub(super) fn parse(text: &str) -> Self {
        Self {
            text: text.trim().to_owned(),
            processes: Query::parse(text, &PROCESSES),
            cgroups: Query::parse(text, &CGROUPS),
            holders: Query::parse(text, &HOLDERS),
            pins: Query::parse(text, &PINS),
            call_sites: Query::parse(text, &CALL_SITES),
            findings: Query::parse(text, &FINDINGS),
            windows: Query::parse(text, &WINDOWS),
            pin_calls: Query::parse(text, &PIN_CALLS),
            in_flight: Query::parse(text, &CALLS_IN_FLIGHT),
            failed_registrations: Query::parse(text, &FAILED_REGISTRATIONS),
            changes: Query::parse(text, &CHANGES),
        }
    }

    /// Returns true if the text is a query for rows of at least one kind.
    pub(super) fn is_query(&self) -> bool {
        self.processes.is_ok()
            || self.cgroups.is_ok()
            || self.holders.is_ok()
            || self.pins.is_ok()
            || self.call_sites.is_ok()
            || self.findings.is_ok()
            || self.windows.is_ok()
            || self.pin_calls.is_ok()
            || self.in_flight.is_ok()
            || self.failed_registrations.is_ok()
            || self.changes.is_ok()
    }

    /// Returns the reason why rows of a kind cannot be asked.
    pub(super) fn error(&self, kind: RowKind) -> Option<&QueryError> {
        match kind {
            RowKind::Process => self.processes.as_ref().err(),
            RowKind::Cgroup => self.cgroups.as_ref().err(),
            RowKind::Holder => self.holders.as_ref().err(),
            RowKind::Pin => self.pins.as_ref().err(),
            RowKind::CallSite => self.call_sites.as_ref().err(),
            RowKind::Finding => self.findings.as_ref().err(),
            RowKind::Window => self.windows.as_ref().err(),
            RowKind::PinCall => self.pin_calls.as_ref().err(),
            RowKind::Change => self.changes.as_ref().err(),
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
        RowKind::Cgroup => CGROUPS.begins_name(word),
        RowKind::Holder => HOLDERS.begins_name(word),
        RowKind::Pin => PINS.begins_name(word),
        RowKind::CallSite => CALL_SITES.begins_name(word),
        RowKind::Finding => FINDINGS.begins_name(word),
        RowKind::Window => WINDOWS.begins_name(word),
        RowKind::PinCall => PIN_CALLS.begins_name(word),
        RowKind::Change => CHANGES.begins_name(word),
    }
}

/// Returns what can stand at the end of a query for rows of a kind. Values are those of the snapshot.
pub(super) fn completions(text: &str, kind: RowKind, snapshot: &Snapshot) -> Completions {
    let (end, now) = (text.len(), snapshot.time);
    match kind {
        RowKind::Process => complete(text, end, &PROCESSES, &|field| {
            values_of(field, snapshot.processes.iter().map(Arc::as_ref), now)
        }),
        RowKind::Cgroup => {
            let rows = cgroups::of(snapshot);
            complete(text, end, &CGROUPS, &|field| values_of(field, &rows, now))
        }
        RowKind::Holder => {
            let rows = holders::of(snapshot);
            complete(text, end, &HOLDERS, &|field| values_of(field, &rows, now))
        }
        RowKind::Pin => {
            let rows = pin_list::of(snapshot);
            complete(text, end, &PINS, &|field| values_of(field, &rows, now))
        }
        RowKind::CallSite => {
            let rows = call_sites::of(snapshot);
            complete(text, end, &CALL_SITES, &|field| values_of(field, &rows, now))
        }
        RowKind::Finding => complete(text, end, &FINDINGS, &|field| {
            values_of(field, &snapshot.findings, now)
        }),
        RowKind::Window => complete(text, end, &WINDOWS, &|field| {
            values_of(field, &snapshot.windows, now)
        }),
        RowKind::PinCall => complete(text, end, &PIN_CALLS, &|field| {
            values_of(field, snapshot.pin_calls.iter(), now)
        }),
        RowKind::Change => complete(text, end, &CHANGES, &|_| Vec::new()),
    }
}
