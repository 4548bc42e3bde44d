//! Decides which processes, findings, flush windows and pin calls are shown.

use pintrace_events::units::{Nanos, Pid};
use pintrace_model::finding::{Finding, WindowTotals};
use pintrace_model::pin_calls::{InFlight, PinCallRow};
use pintrace_model::registrations::FailedRegistration;
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_model::text;
use pintrace_query::{Query, QueryError};

use super::queries::{Queries, RowKind, begins_more};

/// The rows to show.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    /// A query, or a text that is not yet a query. Empty shows all.
    text: String,
    /// The queries of the last text that was a query.
    in_force: Queries,
    /// The mistakes of the text, if it is no query for any kind of row.
    mistaken: Option<Queries>,
    /// Pids from the command line. Empty shows all.
    pids: Vec<Pid>,
    /// Hide processes that have ended and hold nothing.
    pub(super) without_ended: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            text: String::new(),
            in_force: Queries::parse(""),
            mistaken: None,
            pids: Vec::new(),
            without_ended: false,
        }
    }
}

impl Filter {
    /// Returns a filter with pids from the command line.
    pub(super) fn of_pids(pids: Vec<Pid>) -> Self {
        Self {
            pids,
            ..Self::default()
        }
    }

    /// Returns a filter with a text.
    #[cfg(test)]
    pub(super) fn of_text(text: &str) -> Self {
        let mut filter = Self::default();
        filter.set(text.to_owned());
        filter
    }

    /// Takes a text. The last query stays in force while the text is no query.
    pub(super) fn set(&mut self, text: String) {
        let queries = Queries::parse(&text);
        self.text = text;
        self.mistaken = if queries.is_query() {
            self.in_force = queries;
            None
        } else {
            Some(queries)
        };
    }

    /// Takes a text while it is typed. The last query also stays in force while the text matches no row and ends in the
    /// beginning of a keyword or of a field, which is a bare word until it is complete.
    pub(super) fn set_typed(&mut self, text: String, (kind, snapshot): (RowKind, &Snapshot)) {
        let before = self.in_force.clone();
        self.set(text);
        if self.mistaken.is_none() && begins_more(&self.text, kind) && !self.shows_any(kind, snapshot) {
            self.in_force = before;
        }
    }

    fn shows_any(&self, kind: RowKind, snapshot: &Snapshot) -> bool {
        let now = snapshot.time;
        let mut processes = snapshot.processes.iter();
        match kind {
            RowKind::Process => processes.any(|process| self.admits(process, now)),
            RowKind::Finding => snapshot
                .findings
                .iter()
                .any(|found| self.admits_finding(found, now)),
            RowKind::Window => snapshot.windows.iter().any(|all| self.admits_windows(all, now)),
            _ => snapshot
                .pin_calls
                .iter()
                .any(|row| self.admits_pin_calls(row, now)),
        }
    }

    /// Returns the text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the query in force, which differs from a text that is no query.
    pub(super) fn query(&self) -> &str {
        &self.in_force.text
    }

    /// Returns the mistake of a text that is no query, as it concerns rows of a kind.
    pub(super) fn error(&self, kind: RowKind) -> Option<&QueryError> {
        self.mistaken.as_ref()?.error(kind)
    }

    /// Returns true for a process to show. An ended process that still holds pins is never hidden by `without_ended`.
    pub(super) fn admits(&self, process: &Process, now: Nanos) -> bool {
        let gone = process.ended.is_some() && process.pages_held == 0;
        self.has_pid(process.pid)
            && !(self.without_ended && gone)
            && matches(&self.in_force.processes, process, now)
    }

    /// Returns true for a finding to show. `--pid` chooses a finding by the process of the pin and by the process of the
    /// trigger.
    pub(super) fn admits_finding(&self, found: &Finding, now: Nanos) -> bool {
        let trigger = found.trigger.as_ref().map(|trigger| trigger.pid);
        (self.has_pid(found.pid) || trigger.is_some_and(|pid| self.has_pid(pid)))
            && matches(&self.in_force.findings, found, now)
    }

    pub(super) fn admits_windows(&self, all: &WindowTotals, now: Nanos) -> bool {
        self.has_pid(all.pid) && matches(&self.in_force.windows, all, now)
    }

    /// Returns true for the pin calls of a process to show.
    pub(super) fn admits_pin_calls(&self, row: &PinCallRow, now: Nanos) -> bool {
        self.has_pid(row.pid)
            && !(self.without_ended && row.ended)
            && matches(&self.in_force.pin_calls, row, now)
    }

    pub(super) fn admits_in_flight(&self, call: &InFlight, now: Nanos) -> bool {
        self.has_pid(call.pid) && matches(&self.in_force.in_flight, call, now)
    }

    pub(super) fn admits_failed_registration(&self, one: &FailedRegistration, now: Nanos) -> bool {
        self.has_pid(one.failed.pid) && matches(&self.in_force.failed_registrations, one, now)
    }

    /// Returns the message for a list with entries of which no entry matches.
    pub(super) fn nothing_matches(&self, noun: &str, kind: RowKind) -> String {
        if let Some(lacks) = self.lacks(kind) {
            return lacks;
        }
        if self.query().is_empty() {
            format!("No {noun} of the processes given by --pid.")
        } else {
            let text = text::printable(self.query());
            format!("No {noun} matches “{text}”. / changes the filter.")
        }
    }

    /// Returns a sentence if rows of a kind cannot be asked, because they lack a field of the query.
    pub(super) fn lacks(&self, kind: RowKind) -> Option<String> {
        let error = self.in_force.error(kind)?;
        let mut reason = text::printable(error.wrong());
        if let Some(first) = reason.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Some(format!("{reason}. / changes the filter."))
    }

    fn has_pid(&self, pid: Pid) -> bool {
        self.pids.is_empty() || self.pids.contains(&pid)
    }
}

fn matches<T>(query: &Result<Query<T>, QueryError>, row: &T, now: Nanos) -> bool {
    query.as_ref().is_ok_and(|query| query.matches(row, now))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::order::{self, Order};
    use super::*;

    fn pids(filter: &Filter, order: Order) -> Vec<u32> {
        let snapshot = fixture::busy();
        order::processes(&snapshot, filter, order)
            .into_iter()
            .map(|row| snapshot.processes[row].pid.0)
            .collect()
    }

    fn by(text: &str) -> Vec<u32> {
        pids(&Filter::of_text(text), Order::default())
    }

    #[test]
    fn a_filter_matches_command_command_line_and_pid() {
        assert_eq!(by("QEMU"), [4242]);
        assert_eq!(by("guest-seven"), [4242]);
        assert_eq!(by("424"), [4242]);
        assert!(by("nothing like it").is_empty());
    }

    #[test]
    fn a_filter_is_a_query_over_fields() {
        assert_eq!(by("subsystem = vfio and pages > 1M"), [4242]);
        assert_eq!(by("oldest < 1s or state = SIGKILL"), [911, 880]);
    }

    #[test]
    fn the_last_query_stays_in_force_while_the_text_is_none() {
        let mut filter = Filter::default();
        for (text, wrong) in [
            ("pid = 880", None),
            ("pid = 880 or", Some(11 + 2)),
            ("pid = 880 or pagse > 3", Some(14)),
        ] {
            filter.set(text.to_owned());
            assert_eq!(pids(&filter, Order::default()), [880], "{text}");
            assert_eq!(
                filter.error(RowKind::Process).map(QueryError::column),
                wrong,
                "{text}"
            );
        }
    }

    #[test]
    fn a_list_says_which_field_its_rows_lack() {
        let filter = Filter::of_text("severity = alarm");
        assert!(
            filter.error(RowKind::Process).is_none(),
            "findings have the field"
        );
        assert_eq!(
            filter.nothing_matches("process", RowKind::Process),
            "Processes have no field `severity`. / changes the filter."
        );
        assert_eq!(filter.lacks(RowKind::Finding), None);
        let snapshot = fixture::found();
        assert_eq!(order::findings(&snapshot, &filter, Order::of_findings()).len(), 2);
        assert!(pids(&filter, Order::default()).is_empty());
    }

    #[test]
    fn an_ended_process_that_still_holds_pins_cannot_be_hidden() {
        let shown = pids(
            &Filter {
                without_ended: true,
                ..Filter::default()
            },
            Order::default(),
        );
        assert!(shown.contains(&911), "ended, still holds pages");
        assert!(!shown.contains(&912), "ended, holds nothing");
    }

    #[test]
    fn a_pid_given_by_the_user_is_shown_alone() {
        let filter = Filter {
            pids: vec![Pid(912)],
            ..Filter::default()
        };
        assert_eq!(pids(&filter, Order::default()), [912]);
    }

    #[test]
    fn a_filter_of_findings_matches_both_sides() {
        let snapshot = fixture::found();
        let found = |text: &str, pids: &[u32]| {
            let mut filter = Filter {
                pids: pids.iter().copied().map(Pid).collect(),
                ..Filter::default()
            };
            filter.set(text.to_owned());
            let rows = order::findings(&snapshot, &filter, Order::of_findings());
            (rows.len(), order::windows(&snapshot, &filter).len())
        };
        assert_eq!(found("", &[]), (7, 1));
        assert_eq!(found("ALARM", &[]), (2, 0));
        assert_eq!(
            found("toucher", &[]),
            (2, 0),
            "the process that unmapped, not the process that pinned"
        );
        assert_eq!(found("", &[7]), (7, 1));
        assert_eq!(found("", &[8]), (0, 0));
    }
}
