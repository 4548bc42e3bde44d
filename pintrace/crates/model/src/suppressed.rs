//! Mapping changes without an event, by process.

use std::collections::BTreeMap;

use pintrace_events::ChangesSuppressed;
use pintrace_events::units::Pid;

use crate::limits;
use crate::text::printable;

/// Most processes of the table. The programs have room for as many at a time.
const PROCESSES: usize = 1024;
/// Processes that a line of text names.
const NAMED: usize = 3;

/// The latest total of each process.
#[derive(Clone, Debug, Default)]
pub(crate) struct SuppressedTable(BTreeMap<Pid, ChangesSuppressed>);

impl SuppressedTable {
    /// Takes a sample. Returns false if the table is full.
    pub(crate) fn sample(&mut self, total: &ChangesSuppressed) -> bool {
        if !self.0.contains_key(&total.pid) && self.0.len() >= PROCESSES {
            return false;
        }
        let comm = limits::clip(&total.comm, limits::COMM_CHARS);
        self.0.insert(total.pid, ChangesSuppressed { comm, ..*total });
        true
    }

    /// Returns all totals, largest first.
    pub(crate) fn list(&self) -> Vec<ChangesSuppressed> {
        let mut list: Vec<_> = self.0.values().cloned().collect();
        list.sort_by_key(|total| std::cmp::Reverse(total.changes));
        list
    }
}

/// Returns the processes whose changes have no event, in words; `None` if there is no such process.
#[must_use]
pub fn processes(suppressed: &[ChangesSuppressed]) -> Option<String> {
    let named = suppressed.iter().take(NAMED);
    let named: Vec<_> = named
        .map(|total| format!("{}[{}] {}", printable(&total.comm), total.pid.0, total.changes))
        .collect();
    let more = match suppressed.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more processes"),
    };
    (!named.is_empty()).then(|| named.join(", ") + &more)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(pid: u32, changes: u64) -> ChangesSuppressed {
        ChangesSuppressed {
            pid: Pid(pid),
            comm: format!("p{pid}"),
            changes,
        }
    }

    #[test]
    fn the_latest_total_of_each_process_counts_and_the_largest_is_first() {
        let mut table = SuppressedTable::default();
        for sample in [total(7, 1), total(9, 2), total(7, 5)] {
            assert!(table.sample(&sample));
        }
        assert_eq!(table.list(), [total(7, 5), total(9, 2)]);
        assert_eq!(processes(&table.list()).unwrap(), "p7[7] 5, p9[9] 2");
        assert_eq!(processes(&[]), None);
    }

    #[test]
    fn text_names_three_processes_and_counts_the_others() {
        let totals: Vec<_> = (1..=5).map(|pid| total(pid, 1)).collect();
        assert_eq!(
            processes(&totals).unwrap(),
            "p1[1] 1, p2[2] 1, p3[3] 1 and 2 more processes"
        );
    }

    #[test]
    fn the_table_is_bounded() {
        let mut table = SuppressedTable::default();
        let fitting = (0..=1024).filter(|&pid| table.sample(&total(pid, 1))).count();
        assert_eq!(fitting, 1024);
    }
}
