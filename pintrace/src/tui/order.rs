//! Which processes the table shows, and in which order.

use std::cmp::Ordering;

use crate::model::field::process::{self, Column};
use crate::model::snapshot::{Process, Snapshot};
use crate::units::Pid;

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
    fn compare(self, column: &Column, one: &Process, two: &Process) -> Ordering {
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
            && self.matches(process)
    }

    fn matches(&self, process: &Process) -> bool {
        if self.text.is_empty() {
            return true;
        }
        let wanted = self.text.to_lowercase();
        process.pid.0.to_string().contains(&wanted)
            || process.comm.to_lowercase().contains(&wanted)
            || process.cmdline.to_lowercase().contains(&wanted)
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
}
