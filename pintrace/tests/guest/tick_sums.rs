//! The sums over processes, over subsystems and of the ledger, in each sample of a recording.
//!
//! A sample has the totals of the ledger first, and the accounts after them. So the pages that the accounts have acquired
//! and released are at least the totals of the same sample and at most the totals of the next sample. A hook on another CPU
//! may have counted a call in one of both when pintrace reads them: so the sums lie between the totals of the sample before
//! and of the sample after. If no page is pinned or released meanwhile, all are equal.

use std::collections::VecDeque;

use pintrace_model::snapshot::Snapshot;

use crate::sums::HARMLESS;

/// Acquired and released pages of one sample.
#[derive(Clone, Copy, Debug)]
struct Sample {
    processes: [u64; 2],
    ledger: [u64; 2],
}

/// The latest samples, and what disagreed first.
#[derive(Debug, Default)]
pub(crate) struct TickSums {
    samples: VecDeque<Sample>,
    failure: Option<String>,
}

impl TickSums {
    /// Adds the next sample, and compares the sample before.
    pub(crate) fn add(&mut self, snapshot: &Snapshot) {
        let sums = [
            snapshot.processes.iter().map(|one| one.acquired).sum(),
            snapshot.processes.iter().map(|one| one.released).sum(),
            snapshot.processes.iter().map(|one| one.pages_held).sum::<u64>(),
        ];
        let subsystems = [
            snapshot.subsystems.iter().map(|one| one.acquired).sum(),
            snapshot.subsystems.iter().map(|one| one.released).sum(),
            snapshot.subsystems.iter().map(|one| one.pages_held).sum::<u64>(),
        ];
        if sums != subsystems {
            self.fail(format!(
                "the processes have {sums:?}, the subsystems {subsystems:?}"
            ));
        }
        let balance = &snapshot.balance;
        // After a loss, a reconciliation corrects the accounts and not the totals.
        let mut losses = snapshot.loss.iter();
        let is_harmful = |(name, count): &(&str, u64)| !HARMLESS.contains(name) && *count != 0;
        if balance.reconciled_pages != 0 || losses.any(is_harmful) {
            self.samples.clear();
            return;
        }
        self.samples.push_back(Sample {
            processes: [sums[0], sums[1]],
            ledger: [balance.ledger_acquired, balance.ledger_released],
        });
        if self.samples.len() == 4 {
            self.samples.pop_front();
        }
        if let Some([before, at, after]) = self.samples.make_contiguous().first_chunk().copied() {
            self.compare(before, at, after);
        }
    }

    fn compare(&mut self, before: Sample, at: Sample, after: Sample) {
        for (which, figure) in ["acquired", "released"].iter().enumerate() {
            let range = before.ledger[which]..=after.ledger[which];
            let pages = at.processes[which];
            if !range.contains(&pages) {
                self.fail(format!(
                    "the processes have {figure} {pages} pages, the ledger {range:?}"
                ));
            }
        }
    }

    fn fail(&mut self, what: String) {
        self.failure.get_or_insert(what);
    }

    /// Fails if the sums of a sample disagreed.
    pub(crate) fn assert_agree(&self) {
        assert_eq!(self.failure, None, "the sums of a sample of the recording");
    }
}
