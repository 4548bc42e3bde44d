//! Compares vmstat, ledger and scan, corrects the ledger, and computes balance and events. All access to the kernel and
//! to clocks goes through [`TracedKernel`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use pintrace_common::reconcile::caller;
use pintrace_events::units::{AccountId, Nanos};
use pintrace_events::{Event, ProcessSeen};
use pintrace_scan::pinned_folios::FolioRun;

use super::adjustment::{Adjuster, LedgerReading};
use super::kernel::TracedKernel;
use super::schedule::Schedule;
use super::{ReconcileError, ledger_losses};
use crate::budget::pause;
use crate::preexisting_file::PreexistingFile;
use crate::sampler::Sample;
use crate::scan_events::{HolderSample, ScanEvents};

/// Number of samples after the start at which the preexisting pins are compared again with memory, because a pin in
/// flight at the start was counted by the hook and by the scan.
const SETTLING: u32 = 3;
/// Longest time that one sample waits for two ledger readings without a pin or release in between.
const ADJUSTING: Duration = Duration::from_millis(5);
/// Caller of the accounts for pins that the hooks lost. The reverse map of the page names a process.
const RECONCILED: u64 = caller::of(caller::RECONCILED, 0, caller::PAGE_TABLES);
/// Most single folios whose missing pins one reconciliation adds to the ledger.
const MOST_FOLIOS: usize = 1 << 16;
/// The first id of accounts outside the ledger. The ids of the ledger's accounts stay below.
pub(super) const NOT_IN_LEDGER: AccountId = AccountId(1 << 31);

/// The preexisting pins of one process, subsystem, kind of evidence and open file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PreexistingPins {
    /// Pid of the process; 0 if the holder is unknown.
    pub(super) pid: u32,
    /// Command name of the process.
    pub(super) comm: String,
    /// Caller of the account ([`caller::of`]).
    pub(super) caller: u64,
    /// The open file whose table names the pages, with a number that tells the files of the process apart, from 1 on.
    pub(super) file: Option<(u32, PreexistingFile)>,
    /// The folios, with the number of pins of this holder.
    pub(super) runs: Vec<FolioRun>,
}

/// The reconciliations of one trace: past results and pending steps.
pub(super) struct Reconciliation {
    /// Share of one CPU that scans may take.
    budget: f64,
    /// Folios whose preexisting pins were added at the start. Empty after [`SETTLING`] samples.
    added_at_start: Vec<FolioRun>,
    settling: u32,
    adjuster: Adjuster,
    pub(super) schedule: Schedule,
    /// Folios with pins that the ledger lacked at the first comparison.
    missing_folios: Vec<FolioRun>,
    /// Number of times that the comparison of these folios was postponed.
    postponed: u32,
    /// CPU time that the reconciliation in progress has taken.
    took: Duration,
    reconciled_pages: u64,
    /// Pins that the scan found and the ledger has no room for. Events report such pins under accounts outside the
    /// ledger.
    not_in_ledger: ScanEvents,
}

/// Most times that a comparison is postponed, a second each, because a long-term call is in flight.
const MOST_POSTPONED: u32 = 10;

impl Reconciliation {
    /// Starts without a reconciliation. The first account of `not_in_ledger` has the id [`NOT_IN_LEDGER`].
    pub(super) fn new(now: Instant, budget: f64, not_in_ledger: ScanEvents) -> Self {
        Self {
            budget,
            added_at_start: Vec::new(),
            settling: 0,
            adjuster: Adjuster::default(),
            schedule: Schedule::new(now),
            missing_folios: Vec::new(),
            postponed: 0,
            took: Duration::ZERO,
            reconciled_pages: 0,
            not_in_ledger,
        }
    }

    /// Adds the preexisting pins that a scan found to the ledger.
    pub(super) fn add_preexisting(
        &mut self,
        kernel: &mut impl TracedKernel,
        found: &[PreexistingPins],
    ) -> Result<(), ReconcileError> {
        for pins in found.iter().filter(|pins| !pins.runs.is_empty()) {
            let number = pins.file.map_or(0, |(number, file)| {
                kernel.name_file(pins.pid, number, file);
                number
            });
            let Some(account) = kernel.account(pins.pid, pins.caller, number, &pins.comm)? else {
                // The account table is full. The next reconciliation reports the pins outside of the ledger.
                continue;
            };
            for run in &pins.runs {
                self.adjuster.preexisting += kernel.repair(run, Some(account))?.added;
                self.added_at_start.push(*run);
            }
        }
        self.settling = SETTLING;
        Ok(())
    }

    /// Takes one sample of the trace, and corrects the ledger if vmstat and ledger differ. Returns the sample, and the
    /// events for pins outside the ledger.
    ///
    /// A reconciliation takes three steps, which may fall into different samples. [`Self::begin`] drops pins that
    /// memory does not have. 20 ms later [`Self::resume`] adds the pins that the ledger still lacks. [`Self::adjust`]
    /// corrects the totals at a moment without pins and releases.
    pub(super) fn reconcile(
        &mut self,
        kernel: &mut impl TracedKernel,
    ) -> Result<(Sample, Vec<Event>), ReconcileError> {
        self.settle(kernel)?;
        let time = kernel.event_time();
        let mut events = self.resume(kernel, time)?;
        let preexisting_held = kernel.preexisting_held();
        self.adjust(kernel, preexisting_held)?;

        let mut sample = kernel.sample(self.adjuster.adjustment())?;
        self.apply_to(&mut sample);
        if self.is_needed(kernel.now(), &sample) {
            events.extend(self.begin(kernel, &sample)?);
            self.adjust(kernel, sample.balance.preexisting_held)?;
            kernel.sample_again(&mut sample, self.adjuster.adjustment())?;
            self.apply_to(&mut sample);
        }
        Ok((sample, events))
    }

    /// Drops preexisting pins that [`Self::add_preexisting`] added and memory no longer has: pins in flight at the
    /// start.
    fn settle(&mut self, kernel: &mut impl TracedKernel) -> Result<(), ReconcileError> {
        if self.settling == 0 {
            return Ok(());
        }
        self.settling -= 1;
        for run in &self.added_at_start {
            let dropped = kernel.repair(run, None)?.dropped;
            self.adjuster.preexisting = self.adjuster.preexisting.saturating_sub(dropped);
        }
        if self.settling == 0 {
            self.added_at_start = Vec::new();
        }
        Ok(())
    }

    /// Sets the preexisting pins and the reconciled pages of a sample.
    fn apply_to(&self, sample: &mut Sample) {
        let balance = &mut sample.balance;
        // The ledger has the preexisting pins that the scan at the start found, so all other releases without an owner
        // are those of preexisting pins that it did not find, or of pins that were lost.
        if balance.vmstat_acquired.is_some() && self.settling == 0 {
            balance.separate_lost_pins(balance.preexisting_held.saturating_sub(self.adjuster.preexisting));
        }
        let known = sample.preexisting_in_accounts.min(self.adjuster.preexisting);
        // The hooks counted releases of these preexisting pins as releases of pins in the ledger.
        let released = (self.adjuster.preexisting - known).min(balance.ledger_released);
        balance.ledger_released -= released;
        balance.preexisting_released += released;
        balance.preexisting_attributed = known;
        balance.reconciled_pages = self.reconciled_pages;
    }

    /// Returns true if vmstat and ledger have differed for long enough, or if a loss has falsified the ledger.
    fn is_needed(&mut self, now: Instant, sample: &Sample) -> bool {
        let sums = sample.balance.sums();
        let wrong =
            sums.unaccounted() != 0 || sums.preexisting < i128::from(sample.balance.preexisting_attributed);
        self.schedule.begins(now, wrong, ledger_losses(&sample.losses))
    }

    /// Drops pins that the ledger has and memory does not have. Pins that the ledger lacks may be in flight, so
    /// [`Self::resume`] adds such pins later.
    fn begin(
        &mut self,
        kernel: &mut impl TracedKernel,
        sample: &Sample,
    ) -> Result<Vec<Event>, ReconcileError> {
        let begin = kernel.cpu_time();
        self.schedule.begun(ledger_losses(&sample.losses));
        self.reconciled_pages += kernel.drop_stale()?;
        self.missing_folios = missing_folios(kernel)?;
        self.took = kernel.cpu_time().saturating_sub(begin);
        if self.missing_folios.is_empty() {
            return Ok(self.finished(kernel, sample.time, BTreeMap::new()));
        }
        self.schedule.wait(kernel.now());
        Ok(Vec::new())
    }

    /// Adds the pins that the ledger still lacks, once the wait that [`Self::begin`] set has passed. Waits longer while a
    /// long-term call is in flight, whose pins may be among them.
    fn resume(&mut self, kernel: &mut impl TracedKernel, time: Nanos) -> Result<Vec<Event>, ReconcileError> {
        if self.schedule.due().is_none_or(|due| kernel.now() < due) {
            return Ok(Vec::new());
        }
        if kernel.has_calls_in_flight()? {
            if self.postponed < MOST_POSTPONED {
                self.postponed += 1;
                self.schedule.postpone(kernel.now());
            } else {
                self.give_up(kernel);
            }
            return Ok(Vec::new());
        }
        self.postponed = 0;
        let begin = kernel.cpu_time();
        let missing = std::mem::take(&mut self.missing_folios);
        let not_in_ledger = self.add_missing(kernel, &missing)?;
        self.took += kernel.cpu_time().saturating_sub(begin);
        Ok(self.finished(kernel, time, not_in_ledger))
    }

    /// Ends the reconciliation without a comparison, because a call may be in flight for as long as a process likes. The
    /// next reconciliation compares again. Until then the pins outside the ledger stay as emitted: nothing shows that
    /// they were released.
    fn give_up(&mut self, kernel: &impl TracedKernel) {
        self.postponed = 0;
        self.missing_folios = Vec::new();
        self.schedule
            .finished(kernel.now(), pause(self.took, self.budget));
    }

    /// Ends the reconciliation, and returns the events for the pins that the ledger has no room for.
    fn finished(
        &mut self,
        kernel: &impl TracedKernel,
        time: Nanos,
        not_in_ledger: BTreeMap<u32, HolderSample>,
    ) -> Vec<Event> {
        let before = self.not_in_ledger.pages();
        let events = self.not_in_ledger.emit(time, not_in_ledger.into_values());
        self.reconciled_pages += self.not_in_ledger.pages().abs_diff(before);
        self.schedule
            .finished(kernel.now(), pause(self.took, self.budget));
        events
    }

    /// Corrects the totals after a reconciliation: exactly if no page is pinned or released between two ledger
    /// readings, and else to within the pages that moved.
    fn adjust(
        &mut self,
        kernel: &mut impl TracedKernel,
        preexisting_held: u64,
    ) -> Result<(), ReconcileError> {
        if !self.schedule.is_adjusting() {
            return Ok(());
        }
        let begin = kernel.now();
        let mut last = kernel.read_ledger()?;
        let mut best: Option<(u64, LedgerReading)> = None;
        while best.is_none() || kernel.now().saturating_duration_since(begin) < ADJUSTING {
            let next = kernel.read_ledger()?;
            let moved = last.moved(&next);
            if best.is_none_or(|(least, _)| moved < least) {
                best = Some((moved, last));
            }
            if moved == 0 {
                self.schedule.adjusted();
                break;
            }
            last = next;
        }
        if let Some((moved, reading)) = best {
            let not_in_ledger = self.not_in_ledger.pages();
            self.adjuster
                .conclude(preexisting_held, &reading, moved, not_in_ledger);
        }
        Ok(())
    }

    /// Adds the missing pins of single folios to the ledger, each under a process that maps the folio. Returns, by pid,
    /// the pins that the ledger has no room for.
    fn add_missing(
        &mut self,
        kernel: &mut impl TracedKernel,
        missing: &[FolioRun],
    ) -> Result<BTreeMap<u32, HolderSample>, ReconcileError> {
        let pids = kernel.owners(missing);
        let mut accounts: BTreeMap<u32, (ProcessSeen, Option<u32>)> = BTreeMap::new();
        let mut not_in_ledger: BTreeMap<u32, HolderSample> = BTreeMap::new();
        for (run, pid) in missing.iter().zip(pids) {
            let (process, account) = match accounts.entry(pid) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let process = kernel.process(pid);
                    let account = kernel.account(pid, RECONCILED, 0, &process.comm)?;
                    new.insert((process, account))
                }
            };
            let repaired = kernel.repair(run, *account)?;
            self.reconciled_pages += repaired.added;
            if repaired.missing > 0 {
                let sample = not_in_ledger.entry(pid).or_insert_with(|| HolderSample {
                    process: process.clone(),
                    ..HolderSample::default()
                });
                sample.pages += repaired.missing;
                sample.bytes += 4096 << run.order;
            }
        }
        Ok(not_in_ledger)
    }
}

/// Returns single folios on which the scan found more pins than the ledger has.
fn missing_folios(kernel: &mut impl TracedKernel) -> Result<Vec<FolioRun>, ReconcileError> {
    let mut missing = Vec::new();
    for run in kernel.pinned_folios()? {
        if kernel.repair(&run, None)?.missing == 0 {
            continue;
        }
        for place in 0..run.folios {
            let one = FolioRun {
                pfn: run.pfn + (place << run.order),
                folios: 1,
                ..run
            };
            if missing.len() < MOST_FOLIOS && kernel.repair(&one, None)?.missing > 0 {
                missing.push(one);
            }
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests;
