//! Decides which rows are shown.

use pintrace_events::units::{Nanos, Pid};
use pintrace_model::finding::Finding;
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_model::text;
use pintrace_model::views::ended::is_over;
use pintrace_model::views::{call_sites, cgroups, holders, pin_list};
use pintrace_query::QueryError;

use super::queries::{Parsed, Queries, RowKind, begins_more};

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
    /// Show processes that have ended and hold nothing.
    pub(super) with_ended: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            text: String::new(),
            in_force: Queries::parse(""),
            mistaken: None,
            pids: Vec::new(),
            with_ended: false,
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
        let (now, asked) = (snapshot.time, &self.in_force);
        match kind {
            RowKind::Process => {
                let mut processes = snapshot.processes.iter();
                processes.any(|process| self.admits(process, now))
            }
            RowKind::Cgroup => any(&asked.cgroups, cgroups::of(snapshot).iter(), now),
            RowKind::Holder => any(&asked.holders, holders::of(snapshot).iter(), now),
            RowKind::Pin => any(&asked.pins, pin_list::of(snapshot).iter(), now),
            RowKind::CallSite => any(&asked.call_sites, call_sites::of(snapshot).iter(), now),
            RowKind::Finding => any(&asked.findings, snapshot.findings.iter(), now),
            RowKind::Window => any(&asked.windows, snapshot.windows.iter(), now),
            RowKind::PinCall => any(&asked.pin_calls, snapshot.pin_calls.iter(), now),
            // The rows compare the snapshot with the baseline, which is not known here.
            RowKind::Change => false,
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

    /// Returns the queries in force.
    pub(super) fn queries(&self) -> &Queries {
        &self.in_force
    }

    /// Returns true for a process to show. A process that has ended and holds nothing is shown only with `with_ended`.
    pub(super) fn admits(&self, process: &Process, now: Nanos) -> bool {
        (self.with_ended || !is_over(process))
            && self.admits_row(&self.in_force.processes, process, &[process.pid], now)
    }

    /// Returns true for a finding to show. `--pid` chooses a finding by the process of the pin and by the process of the
    /// trigger.
    pub(super) fn admits_finding(&self, found: &Finding, now: Nanos) -> bool {
        let trigger = found.trigger.as_ref().map_or(found.pid, |trigger| trigger.pid);
        self.admits_row(&self.in_force.findings, found, &[found.pid, trigger], now)
    }

    /// Returns true for a row to show. `pids` are the processes of the row.
    pub(super) fn admits_row<T>(&self, query: &Parsed<T>, row: &T, pids: &[Pid], now: Nanos) -> bool {
        let chosen = |pid: &Pid| self.pids.contains(pid);
        (self.pids.is_empty() || pids.iter().any(chosen)) && matches(query, row, now)
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
}

fn any<'a, T: 'a>(query: &Parsed<T>, mut rows: impl Iterator<Item = &'a T>, now: Nanos) -> bool {
    rows.any(|row| matches(query, row, now))
}

/// Returns true for a row that matches. Rows that lack a field of the query match nothing.
pub(super) fn matches<T>(query: &Parsed<T>, row: &T, now: Nanos) -> bool {
    query.as_ref().is_ok_and(|query| query.matches(row, now))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::rows::{FindingTableRow, ProcessTableRow, WindowTableRow};
    use super::super::table::TableView;
    use super::*;

    fn pids(filter: &Filter) -> Vec<u32> {
        let mut table = TableView::<ProcessTableRow>::default();
        table.arrange(&fixture::busy(), None, filter);
        table.rows.iter().map(|row| row.0.pid.0).collect()
    }

    fn by(text: &str) -> Vec<u32> {
        pids(&Filter {
            with_ended: true,
            ..Filter::of_text(text)
        })
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
            assert_eq!(pids(&filter), [880], "{text}");
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
        assert!(pids(&filter).is_empty());
    }

    #[test]
    fn an_ended_process_that_still_holds_pins_cannot_be_hidden() {
        let shown = pids(&Filter::default());
        assert!(shown.contains(&911), "ended, still holds pages");
        assert!(!shown.contains(&912), "ended, holds nothing");
    }

    #[test]
    fn a_pid_given_by_the_user_is_shown_alone() {
        let filter = Filter {
            pids: vec![Pid(912)],
            with_ended: true,
            ..Filter::default()
        };
        assert_eq!(pids(&filter), [912]);
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
            let mut findings = TableView::<FindingTableRow>::default();
            findings.arrange(&snapshot, None, &filter);
            let mut windows = TableView::<WindowTableRow>::default();
            windows.arrange(&snapshot, None, &filter);
            (findings.rows.len(), windows.rows.len())
        };
        let all = found("", &[]);
        assert_eq!(found("ALARM", &[]), (2, 0));
        assert_eq!(
            found("toucher", &[]).1,
            0,
            "the process that unmapped, not the process that pinned"
        );
        assert!(found("toucher", &[]).0 > 0);
        assert_eq!(found("", &[7]), all);
        assert_eq!(found("", &[8]), (0, 0));
    }
}
