//! Decides which processes, findings and flush windows are shown.

use pintrace_events::units::Pid;
use pintrace_model::finding::{Finding, WindowTotals};
use pintrace_model::snapshot::Process;
use pintrace_model::text;

/// The processes, findings and flush windows to show.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// Part of a command, a pid or another word, in any case. Empty shows all.
    pub(super) text: String,
    /// Pids from the command line. Empty shows all.
    pub(super) pids: Vec<Pid>,
    /// Hide processes that have ended and hold nothing.
    pub(super) without_ended: bool,
}

impl Filter {
    /// Returns true for a process to show. An ended process that still holds pins is never hidden by `without_ended`.
    pub(super) fn admits(&self, process: &Process) -> bool {
        let gone = process.ended.is_some() && process.pages_held == 0;
        (self.pids.is_empty() || self.pids.contains(&process.pid))
            && !(self.without_ended && gone)
            && self.matches(&[process.pid], &[&process.comm, &process.cmdline])
    }

    /// Returns true for a finding to show. A finding matches by the process of the pin and by the process of the
    /// trigger.
    pub(super) fn admits_finding(&self, found: &Finding) -> bool {
        let trigger = found
            .trigger
            .as_ref()
            .map(|trigger| (trigger.pid, trigger.comm.as_str()));
        let (trigger_pid, comm) = trigger.unwrap_or((found.pid, ""));
        (self.pids.is_empty() || self.pids.contains(&found.pid) || self.pids.contains(&trigger_pid))
            && self.matches(
                &[found.pid, trigger_pid],
                &[&found.comm, comm, found.kind.as_str(), found.severity.as_str()],
            )
    }

    pub(super) fn admits_windows(&self, all: &WindowTotals) -> bool {
        (self.pids.is_empty() || self.pids.contains(&all.pid))
            && self.matches(&[all.pid], &[&all.comm, all.cause.as_str()])
    }

    /// Returns true for the pin calls of a process to show.
    pub(super) fn admits_calls(&self, pid: Pid, comm: &str, subsystem: &str) -> bool {
        (self.pids.is_empty() || self.pids.contains(&pid)) && self.matches(&[pid], &[comm, subsystem])
    }

    /// Returns the message for a list with entries of which no entry matches.
    pub(super) fn nothing_matches(&self, noun: &str) -> String {
        if self.text.is_empty() {
            format!("No {noun} of the processes given by --pid.")
        } else {
            let text = text::printable(&self.text);
            format!("No {noun} matches “{text}”. / changes the filter.")
        }
    }

    /// Returns true if one of the pids or words contains the text of the filter.
    fn matches(&self, pids: &[Pid], words: &[&str]) -> bool {
        if self.text.is_empty() {
            return true;
        }
        let wanted = self.text.to_lowercase();
        pids.iter().any(|pid| pid.0.to_string().contains(&wanted))
            || words.iter().any(|word| word.to_lowercase().contains(&wanted))
    }
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
        pids(
            &Filter {
                text: text.to_owned(),
                ..Filter::default()
            },
            Order::default(),
        )
    }

    #[test]
    fn a_filter_matches_command_command_line_and_pid() {
        assert_eq!(by("QEMU"), [4242]);
        assert_eq!(by("guest-seven"), [4242]);
        assert_eq!(by("424"), [4242]);
        assert!(by("nothing like it").is_empty());
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
            let filter = Filter {
                text: text.to_owned(),
                pids: pids.iter().copied().map(Pid).collect(),
                ..Filter::default()
            };
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
