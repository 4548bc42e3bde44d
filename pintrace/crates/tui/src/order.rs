//! The order of processes, findings and flush windows.

use std::cmp::Ordering;
use std::sync::Arc;

use pintrace_model::field::finding_column;
use pintrace_model::field::{Field, process};
use pintrace_model::finding::Finding;
use pintrace_model::snapshot::{Process, Snapshot};

use super::filter::Filter;

/// A sort column, and the direction of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// [`Field::id`].
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
    /// Returns the default order of findings.
    pub(super) const fn of_findings() -> Self {
        Self {
            column: finding_column::DEFAULT_SORT,
            reversed: false,
        }
    }

    fn compare(self, column: &Field<Process>, one: &Process, two: &Process) -> Ordering {
        let order = process::rank(column, one, two);
        if self.reversed { order.reverse() } else { order }
    }
}

/// Returns indexes into [`Snapshot::processes`], filtered and sorted.
pub(super) fn processes(snapshot: &Snapshot, filter: &Filter, order: Order) -> Vec<usize> {
    let mut rows: Vec<(usize, &Process)> = snapshot
        .processes
        .iter()
        .map(Arc::as_ref)
        .enumerate()
        .filter(|(_, process)| filter.admits(process, snapshot.time))
        .collect();
    if let Some(column) = process::column(order.column) {
        rows.sort_by(|(_, one), (_, two)| order.compare(column, one, two));
    }
    rows.into_iter().map(|(index, _)| index).collect()
}

/// Returns indexes into [`Snapshot::findings`], filtered and sorted.
pub(super) fn findings(snapshot: &Snapshot, filter: &Filter, order: Order) -> Vec<usize> {
    let mut rows: Vec<(usize, &Finding)> = snapshot
        .findings
        .iter()
        .enumerate()
        .filter(|(_, found)| filter.admits_finding(found, snapshot.time))
        .collect();
    if let Some(column) = finding_column::named(order.column) {
        rows.sort_by(|(_, one), (_, two)| {
            let ranked = finding_column::rank(column, one, two);
            if order.reversed { ranked.reverse() } else { ranked }
        });
    }
    rows.into_iter().map(|(index, _)| index).collect()
}

/// Returns indexes into [`Snapshot::windows`], filtered.
pub(super) fn windows(snapshot: &Snapshot, filter: &Filter) -> Vec<usize> {
    let rows = snapshot.windows.iter().enumerate();
    rows.filter(|(_, all)| filter.admits_windows(all, snapshot.time))
        .map(|(index, _)| index)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn pids(order: Order) -> Vec<u32> {
        let snapshot = fixture::busy();
        processes(&snapshot, &Filter::default(), order)
            .into_iter()
            .map(|row| snapshot.processes[row].pid.0)
            .collect()
    }

    #[test]
    fn the_largest_holder_comes_first_unless_the_order_is_reversed() {
        let first = pids(Order::default());
        let mut last = pids(Order {
            reversed: true,
            ..Order::default()
        });
        last.reverse();
        assert_eq!(first, last);
        assert_eq!(first.first(), Some(&4242));
    }

    #[test]
    fn pids_start_with_the_lowest() {
        assert!(
            pids(Order {
                column: "pid",
                reversed: false
            })
            .is_sorted()
        );
    }
}
