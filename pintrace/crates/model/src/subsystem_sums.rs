//! Totals by subsystem, kept up to date by the difference between the old and the new part of each process.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::pins::Flow;
use crate::snapshot::SubsystemTotals;
use crate::subsystem::Subsystem;

/// Sums of one subsystem. The events have 64 bits, so these sums never overflow, and a part can be subtracted again.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    acquired: u128,
    released: u128,
    pages_held: u128,
    bytes_held: u128,
    /// Number of added entries. A subsystem without entries is not listed.
    entries: u64,
}

impl Sum {
    /// Returns the sum of both, or the difference if `subtract`.
    fn with(self, part: Self, subtract: bool) -> Self {
        let with = |one: u128, two: u128| {
            if subtract {
                one.saturating_sub(two)
            } else {
                one.saturating_add(two)
            }
        };
        Self {
            acquired: with(self.acquired, part.acquired),
            released: with(self.released, part.released),
            pages_held: with(self.pages_held, part.pages_held),
            bytes_held: with(self.bytes_held, part.bytes_held),
            entries: if subtract {
                self.entries.saturating_sub(part.entries)
            } else {
                self.entries.saturating_add(part.entries)
            },
        }
    }
}

/// The sums of each subsystem.
#[derive(Clone, Debug, Default)]
pub(crate) struct SubsystemSums(BTreeMap<Subsystem, Sum>);

impl SubsystemSums {
    /// Adds an entry, in pages and bytes.
    pub(crate) fn add(&mut self, subsystem: Subsystem, flow: Flow, pages_held: u64, bytes_held: u64) {
        let sum = self.0.entry(subsystem).or_default();
        let entry = Sum {
            acquired: flow.acquired.into(),
            released: flow.released.into(),
            pages_held: pages_held.into(),
            bytes_held: bytes_held.into(),
            entries: 1,
        };
        *sum = sum.with(entry, false);
    }

    /// Replaces the part `old` of these sums by the part `new`.
    pub(crate) fn replace(&mut self, old: &Self, new: &Self) {
        for (part, subtract) in [(new, false), (old, true)] {
            for (subsystem, sum) in &part.0 {
                let total = self.0.entry(*subsystem).or_default();
                *total = total.with(*sum, subtract);
            }
        }
        self.0.retain(|_, sum| sum.entries > 0);
    }

    /// Returns the totals, largest holder first.
    pub(crate) fn list(&self) -> Vec<SubsystemTotals> {
        let totals = self.0.iter().map(|(subsystem, sum)| SubsystemTotals {
            subsystem: *subsystem,
            pages_held: clamp(sum.pages_held),
            bytes_held: clamp(sum.bytes_held),
            acquired: clamp(sum.acquired),
            released: clamp(sum.released),
        });
        let mut list: Vec<_> = totals.collect();
        list.sort_by_key(|totals| (Reverse(totals.pages_held), totals.subsystem));
        list
    }
}

fn clamp(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(entries: &[(Subsystem, u64)]) -> SubsystemSums {
        let mut sums = SubsystemSums::default();
        for (subsystem, pages) in entries {
            let flow = Flow {
                acquired: *pages,
                released: 0,
            };
            sums.add(*subsystem, flow, *pages, *pages);
        }
        sums
    }

    #[test]
    fn a_replaced_part_leaves_the_other_parts_and_no_empty_subsystem() {
        let (old, new) = (
            sums(&[(Subsystem::Rdma, u64::MAX), (Subsystem::Vfio, 3)]),
            sums(&[(Subsystem::Vfio, 4)]),
        );
        let mut all = sums(&[(Subsystem::Vfio, u64::MAX - 4)]);
        all.replace(&SubsystemSums::default(), &old);
        assert_eq!(all.list().len(), 2);
        all.replace(&old, &new);
        let list: Vec<_> = all
            .list()
            .iter()
            .map(|it| (it.subsystem, it.pages_held))
            .collect();
        assert_eq!(list, [(Subsystem::Vfio, u64::MAX)]);
        all.replace(&new, &SubsystemSums::default());
        assert_eq!(all.list()[0].pages_held, u64::MAX - 4);
    }
}
