//! Which processes, findings and windows are shown, and in which order.

use std::cmp::Ordering;

use pintrace_events::units::Pid;
use pintrace_model::field::finding_column;
use pintrace_model::field::process::{self, ProcessColumn};
use pintrace_model::finding::{Finding, WindowTotals};
use pintrace_model::snapshot::{Process, Snapshot};

/// A column to order by, and whether its order is turned around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// [`Column::id`].
    pub(super) column: &'static str,
    pub(super) reversed: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            column: process::DEFAULT_SORT,
            reversed: false,
        }
    }
}

impl Order {
    /// The one that findings have at first.
    pub(super) const fn of_findings() -> Self {
        Self {
            column: finding_column::DEFAULT_SORT,
            reversed: false,
        }
    }

    fn compare(self, column: &ProcessColumn, one: &Process, two: &Process) -> Ordering {
        let order = process::rank(column, one, two);
        if self.reversed { order.reverse() } else { order }
    }
}

/// Which processes to show.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// Part of a command or pid, in any case; empty shows all.
    pub(super) text: String,
    /// From the command line; empty shows all.
    pub(super) pids: Vec<Pid>,
    /// Leave out what has ended and holds nothing.
    pub(super) without_ended: bool,
}

impl Filter {
    /// A process that has ended and still holds pins is what a user is looking for: never hidden.
    fn admits(&self, process: &Process) -> bool {
        let gone = process.ended.is_some() && process.pages_held == 0;
        (self.pids.is_empty() || self.pids.contains(&process.pid))
            && !(self.without_ended && gone)
            && self.matches(&[process.pid], &[&process.comm, &process.cmdline])
    }

    /// Findings about a process, be it the one that pinned or the one that touched.
    fn admits_finding(&self, found: &Finding) -> bool {
        let trigger = found
            .trigger
            .as_ref()
            .map(|trigger| (trigger.pid, trigger.comm.as_str()));
        let (toucher, comm) = trigger.unwrap_or((found.pid, ""));
        (self.pids.is_empty() || self.pids.contains(&found.pid) || self.pids.contains(&toucher))
            && self.matches(
                &[found.pid, toucher],
                &[&found.comm, comm, found.kind.as_str(), found.severity.as_str()],
            )
    }

    fn admits_windows(&self, all: &WindowTotals) -> bool {
        (self.pids.is_empty() || self.pids.contains(&all.pid))
            && self.matches(&[all.pid], &[&all.comm, all.cause.as_str()])
    }

    /// Whether one of these pids or words has what is typed in it.
    fn matches(&self, pids: &[Pid], words: &[&str]) -> bool {
        if self.text.is_empty() {
            return true;
        }
        let wanted = self.text.to_lowercase();
        pids.iter().any(|pid| pid.0.to_string().contains(&wanted))
            || words.iter().any(|word| word.to_lowercase().contains(&wanted))
    }
}

/// Indexes into [`Snapshot::processes`], as the table shows them.
pub(super) fn rows(snapshot: &Snapshot, filter: &Filter, order: Order) -> Vec<usize> {
    let mut rows: Vec<(usize, &Process)> = snapshot
        .processes
        .iter()
        .enumerate()
        .filter(|(_, process)| filter.admits(process))
        .collect();
    if let Some(column) = process::column(order.column) {
        rows.sort_by(|(_, one), (_, two)| order.compare(column, one, two));
    }
    rows.into_iter().map(|(index, _)| index).collect()
}

/// Indexes into [`Snapshot::findings`], as their view lists them.
pub(super) fn findings(snapshot: &Snapshot, filter: &Filter, order: Order) -> Vec<usize> {
    let mut rows: Vec<(usize, &Finding)> = snapshot
        .findings
        .iter()
        .enumerate()
        .filter(|(_, found)| filter.admits_finding(found))
        .collect();
    if let Some(column) = finding_column::named(order.column) {
        rows.sort_by(|(_, one), (_, two)| {
            let ranked = finding_column::rank(column, one, two);
            if order.reversed { ranked.reverse() } else { ranked }
        });
    }
    rows.into_iter().map(|(index, _)| index).collect()
}

/// Indexes into [`Snapshot::windows`].
pub(super) fn windows(snapshot: &Snapshot, filter: &Filter) -> Vec<usize> {
    let rows = snapshot.windows.iter().enumerate();
    rows.filter(|(_, all)| filter.admits_windows(all))
        .map(|(index, _)| index)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn pids(filter: &Filter, order: Order) -> Vec<u32> {
        let snapshot = fixture::busy();
        rows(&snapshot, filter, order)
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
    fn the_largest_holder_comes_first_and_reversal_turns_around() {
        let first = pids(&Filter::default(), Order::default());
        let mut last = pids(
            &Filter::default(),
            Order {
                reversed: true,
                ..Order::default()
            },
        );
        last.reverse();
        assert_eq!(first, last);
        assert_eq!(first.first(), Some(&4242));
    }

    #[test]
    fn pids_start_with_the_lowest() {
        assert!(
            pids(
                &Filter::default(),
                Order {
                    column: "pid",
                    reversed: false
                }
            )
            .is_sorted()
        );
    }

    #[test]
    fn a_filter_looks_at_command_command_line_and_pid() {
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
    fn a_filter_of_findings_looks_at_both_sides() {
        let snapshot = fixture::found();
        let found = |text: &str, pids: &[u32]| {
            let filter = Filter {
                text: text.to_owned(),
                pids: pids.iter().copied().map(Pid).collect(),
                ..Filter::default()
            };
            let rows = findings(&snapshot, &filter, Order::of_findings());
            (rows.len(), windows(&snapshot, &filter).len())
        };
        assert_eq!(found("", &[]), (7, 1));
        assert_eq!(found("ALARM", &[]), (2, 0));
        assert_eq!(found("toucher", &[]), (2, 0), "who unmapped, not who pinned");
        assert_eq!(found("", &[7]), (7, 1));
        assert_eq!(found("", &[8]), (0, 0));
    }
}
