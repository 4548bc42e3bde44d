//! The processes that a query chose, of all processes of a snapshot.

use std::collections::BTreeSet;
use std::sync::Arc;

use pintrace_events::units::Pid;
use pintrace_text::noun;

use super::snapshot::{Process, Snapshot};
use super::text::printable;

/// A query and the number of processes that match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The query.
    pub query: String,
    /// Processes that match.
    pub matching: usize,
    /// All processes.
    pub of: usize,
}

impl Selection {
    /// Returns the numbers in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { query, matching, of } = self;
        let noun = noun(*of as u64, "process");
        let verb = if *matching == 1 { "matches" } else { "match" };
        let query = printable(query);
        format!("{matching} of {of} {noun} {verb} “{query}”. The figures above count all processes.")
    }
}

impl Snapshot {
    /// Keeps the processes that match. Keeps findings, flush windows, pin calls and refused registrations of these
    /// processes. Totals stay those of the host.
    pub fn select(&mut self, query: &str, matches: impl Fn(&Process) -> bool) {
        let of = self.processes.len();
        let kept = self.processes.iter().filter(|process| matches(process)).cloned();
        self.processes = kept.collect();
        let processes = || self.processes.iter().map(Arc::as_ref);
        let pids: BTreeSet<Pid> = processes().map(|process| process.pid).collect();
        let chosen: BTreeSet<(Pid, u32)> = processes()
            .map(|process| (process.pid, process.earlier_processes))
            .collect();
        self.findings.retain(|found| pids.contains(&found.pid));
        self.windows.retain(|all| pids.contains(&all.pid));
        let calls = self.pin_calls.iter();
        let calls = calls.filter(|row| chosen.contains(&(row.pid, row.earlier_processes)));
        self.pin_calls = calls.cloned().collect();
        self.calls_in_flight.retain(|call| pids.contains(&call.pid));
        self.failed_registrations
            .retain(|one| pids.contains(&one.failed.pid));
        self.selection = Some(Arc::new(Selection {
            query: query.to_owned(),
            matching: self.processes.len(),
            of,
        }));
    }
}

#[cfg(test)]
mod tests {
    use pintrace_testing::event_builder::finding_fixtures;

    use super::*;
    use crate::Model;

    #[test]
    fn findings_follow_their_process_and_totals_stay() {
        let mut model = Model::default();
        for event in &finding_fixtures().events {
            model.apply(event);
        }
        let all = model.snapshot();
        let mut none = all.clone();
        none.select("x", |_| false);
        assert!(
            none.processes.iter().next().is_none() && none.findings.is_empty() && none.windows.is_empty()
        );
        assert_eq!((&none.balance, &none.subsystems), (&all.balance, &all.subsystems));
        let mut every = all.clone();
        every.select("x", |_| true);
        assert_eq!(every.processes, all.processes);
        let selection = every.selection.unwrap();
        assert_eq!(
            (selection.matching, selection.of),
            (all.processes.len(), all.processes.len())
        );
    }

    #[test]
    fn the_sentence_has_both_numbers_and_the_query() {
        let selection = |matching, of| Selection {
            query: "a\x1b".to_owned(),
            matching,
            of,
        };
        assert!(
            selection(1, 14)
                .sentence()
                .starts_with("1 of 14 processes matches “a\\u{1b}”.")
        );
        assert!(selection(0, 1).sentence().starts_with("0 of 1 process match "));
    }
}
