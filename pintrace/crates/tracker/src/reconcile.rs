//! Keeps the ledger in agreement with memory: adds the preexisting pins at the start, and repairs the ledger after a
//! loss.
//!
//! `reconciliation` decides which steps are taken, `schedule` decides when, and `adjustment` computes how the totals
//! change. `kernel` is the interface to the kernel, and `running` implements the interface for the running kernel.

mod adjustment;
mod kernel;
mod reconciliation;
mod running;
mod schedule;

use std::collections::BTreeMap;
use std::time::Instant;

use pintrace_common::counters::Loss;
use pintrace_common::holder_kind;
use pintrace_common::reconcile::caller;
use pintrace_events::{Event, Evidence};
use pintrace_scan::scan_result::ScanResult;
use pintrace_scan::scanner::{Addresses, ScanError, Scanner};
use pintrace_source::ledger::LedgerError;
use pintrace_source::ledger_repair::LedgerRepair;

use crate::preexisting_file::{FileNumbers, share_folios};
use crate::sampler::{Sample, Sampler};
use crate::scan_events::{NOBODY, ScanEvents};
use reconciliation::{NOT_IN_LEDGER, PreexistingPins, Reconciliation};
use running::RunningKernel;

/// Why memory could not be compared with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The scan failed.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The ledger could not be read or changed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Scans memory during a trace and corrects the ledger.
pub struct Reconciler {
    scanner: Scanner,
    repair: LedgerRepair,
    reconciliation: Reconciliation,
}

impl Reconciler {
    /// Starts without a reconciliation. `scanner` is started, `repair` belongs to the eBPF object of the ledger, and
    /// `budget` is the share (0 to 1) of one CPU that scans may take.
    pub fn new(scanner: Scanner, repair: LedgerRepair, budget: f64) -> Self {
        let not_in_ledger = ScanEvents::new(scanner.proc().to_owned(), NOT_IN_LEDGER, false);
        Self {
            scanner,
            repair,
            reconciliation: Reconciliation::new(Instant::now(), budget, not_in_ledger),
        }
    }

    /// Scans for preexisting pins and adds them to the ledger.
    pub fn add_preexisting(&mut self, sampler: &mut Sampler<'_>) -> Result<(), ReconcileError> {
        let result = self.scanner.scan(Addresses::Skip, &mut |_, _| {})?;
        let owned = preexisting(&result);
        let (reconciliation, mut kernel) = self.parts(sampler);
        reconciliation.add_preexisting(&mut kernel, &owned)
    }

    /// Takes one sample of the trace. Reconciles the ledger if vmstat and ledger differ, or after a loss.
    pub fn reconcile(&mut self, sampler: &mut Sampler<'_>) -> Result<(Sample, Vec<Event>), ReconcileError> {
        let (reconciliation, mut kernel) = self.parts(sampler);
        reconciliation.reconcile(&mut kernel)
    }

    /// Returns the time of the next step of the reconciliation in progress, if such a step is waiting.
    pub fn due(&self) -> Option<Instant> {
        self.reconciliation.schedule.due()
    }

    /// Returns true while a reconciliation has yet to correct the ledger or the totals.
    pub fn is_running(&self) -> bool {
        self.reconciliation.schedule.is_running()
    }

    /// Allows one more reconciliation without a pause, because the session is about to end.
    pub fn end(&mut self) {
        self.reconciliation.schedule.end();
    }

    /// Allows no further reconciliation.
    pub fn close(&mut self) {
        self.reconciliation.schedule.close();
    }

    fn parts<'a, 'b>(
        &'a mut self,
        sampler: &'a mut Sampler<'b>,
    ) -> (&'a mut Reconciliation, RunningKernel<'a, 'b>) {
        let kernel = RunningKernel {
            scanner: &mut self.scanner,
            repair: &mut self.repair,
            sampler,
        };
        (&mut self.reconciliation, kernel)
    }
}

/// Returns the preexisting pins by process, subsystem, evidence and open file.
fn preexisting(result: &ScanResult) -> Vec<PreexistingPins> {
    let mut numbers = FileNumbers::default();
    let holders = result.processes.iter().flat_map(|process| {
        let files = numbers.of_process(process);
        let shared = share_folios(&process.holders);
        let holders = process.holders.iter().zip(files).zip(shared);
        holders.map(|((holder, file), shared)| {
            let evidence = match holder.evidence {
                Evidence::KernelTable => caller::KERNEL_TABLE,
                Evidence::PageTables => caller::PAGE_TABLES,
            };
            PreexistingPins {
                pid: process.process.pid.0,
                comm: process.process.comm.clone(),
                caller: caller::of(
                    caller::PREEXISTING,
                    holder_kind::number(holder.subsystem),
                    evidence,
                ),
                file: file.filter(|_| !shared),
                runs: holder.runs.clone(),
            }
        })
    });
    let unknown = PreexistingPins {
        pid: 0,
        comm: NOBODY.to_owned(),
        caller: caller::of(caller::PREEXISTING, 0, caller::PAGE_TABLES),
        file: None,
        runs: result.unknown.runs.clone(),
    };
    holders.chain([unknown]).collect()
}

/// Returns the sum of the losses that falsify the ledger.
fn ledger_losses(losses: &BTreeMap<String, u64>) -> u64 {
    Loss::OF_LEDGER
        .iter()
        .filter_map(|loss| losses.get(loss.name()))
        .sum()
}
