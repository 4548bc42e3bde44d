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

/// The latest total of each process. In a full table the smallest total gives way, so that a session may see more
/// processes than the table has room for. The loss counter `changes_suppressed` has the changes of all processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct SuppressedTable {
    /// By pid, and by the number of earlier processes of the table with that pid.
    by_process: BTreeMap<(Pid, u32), ChangesSuppressed>,
}

impl SuppressedTable {
    /// Takes a sample.
    pub(crate) fn sample(&mut self, total: &ChangesSuppressed) {
        let comm = limits::clip(&total.comm, limits::COMM_CHARS);
        let of_pid = (total.pid, 0)..=(total.pid, u32::MAX);
        let key = match self.by_process.range(of_pid).next_back() {
            // The total of a process never shrinks, and its command name is that of the first change.
            Some((key, before)) if before.changes <= total.changes && before.comm == comm => *key,
            Some(((pid, number), _)) => (*pid, number.saturating_add(1)),
            None => (total.pid, 0),
        };
        if self.by_process.len() >= PROCESSES && !self.by_process.contains_key(&key) {
            let smallest = self.by_process.iter().min_by_key(|(_, total)| total.changes);
            if let Some(smallest) = smallest.map(|(key, _)| *key) {
                self.by_process.remove(&smallest);
            }
        }
        self.by_process.insert(key, ChangesSuppressed { comm, ..*total });
    }

    /// Returns all totals, largest first.
    pub(crate) fn list(&self) -> Vec<ChangesSuppressed> {
        let mut list: Vec<_> = self.by_process.values().cloned().collect();
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
        // Processes may have given way.
        more if suppressed.len() >= PROCESSES => format!(" and at least {more} more processes"),
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
            table.sample(&sample);
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
    fn the_smallest_total_of_a_full_table_gives_way_to_a_new_process() {
        let mut table = SuppressedTable::default();
        for pid in 1..=1024 {
            table.sample(&total(pid, 10_000 - u64::from(pid)));
        }
        table.sample(&total(2000, 1));
        let list = table.list();
        assert_eq!((list.len(), &list[0]), (1024, &total(1, 9_999)));
        assert!(list.contains(&total(2000, 1)) && !list.contains(&total(1024, 8_976)));
        let text = processes(&list).unwrap();
        assert!(text.ends_with(" and at least 1021 more processes"), "{text}");
        // A process that gave way has its whole total again.
        table.sample(&total(1024, 8_977));
        assert!(table.list().contains(&total(1024, 8_977)));
    }

    #[test]
    fn a_process_with_the_pid_of_an_ended_process_has_a_total_of_its_own() {
        let mut table = SuppressedTable::default();
        let renamed = ChangesSuppressed {
            comm: "other".to_owned(),
            ..total(7, 2_000)
        };
        for sample in [total(7, 1_000), total(7, 2), total(7, 3), renamed.clone()] {
            table.sample(&sample);
        }
        assert_eq!(table.list(), [renamed, total(7, 1_000), total(7, 3)]);
    }
}
