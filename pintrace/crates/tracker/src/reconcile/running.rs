//! Implements [`TracedKernel`] for the running kernel.

use std::time::{Duration, Instant};

use pintrace_common::ledger::AccountKey;
use pintrace_common::scan::PAGE_STRUCT;
use pintrace_events::ProcessSeen;
use pintrace_events::units::Nanos;
use pintrace_kernel::process;
use pintrace_scan::pinned_folios::FolioRun;
use pintrace_scan::scanner::Scanner;
use pintrace_source::baseline::Adjustment;
use pintrace_source::ledger_repair::{LedgerRepair, RepairedPins, Stretch};

use super::ReconcileError;
use super::adjustment::LedgerReading;
use super::kernel::TracedKernel;
use crate::budget;
use crate::preexisting_file::PreexistingFile;
use crate::sampler::{Sample, Sampler};
use crate::scan_events::nobody;

/// The scanner, the repair programs and the BPF maps of one running trace.
pub(super) struct RunningKernel<'a, 'b> {
    pub(super) scanner: &'a mut Scanner,
    pub(super) repair: &'a mut LedgerRepair,
    pub(super) sampler: &'a mut Sampler<'b>,
}

impl TracedKernel for RunningKernel<'_, '_> {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn cpu_time(&self) -> Duration {
        budget::cpu_time()
    }

    fn event_time(&self) -> Nanos {
        (self.sampler.clock)()
    }

    fn pinned_folios(&mut self) -> Result<Vec<FolioRun>, ReconcileError> {
        let (folios, _) = self.scanner.folios(&mut |_, _| {})?;
        Ok(folios.runs().to_vec())
    }

    fn owners(&mut self, folios: &[FolioRun]) -> Vec<u32> {
        self.scanner.owners(folios.iter().map(|run| run.pfn))
    }

    fn process(&self, pid: u32) -> ProcessSeen {
        process::read(self.scanner.proc(), pid).unwrap_or_else(nobody)
    }

    fn preexisting_held(&self) -> u64 {
        // Without vmstat the number of preexisting pins is unknown, and the balance has no vmstat counters.
        self.sampler.source.preexisting_held().unwrap_or(0)
    }

    fn has_calls_in_flight(&self) -> Result<bool, ReconcileError> {
        Ok(!self.sampler.source.ledger().pin_calls().in_flight()?.is_empty())
    }

    fn read_ledger(&self) -> Result<LedgerReading, ReconcileError> {
        let ledger = self.sampler.source.ledger();
        Ok(LedgerReading {
            totals: ledger.totals()?,
            held: ledger.held()?,
        })
    }

    fn name_file(&mut self, pid: u32, number: u32, file: PreexistingFile) {
        self.sampler.tracker.name_file(pid, number, file);
    }

    fn account(
        &mut self,
        pid: u32,
        caller: u64,
        file: u32,
        comm: &str,
    ) -> Result<Option<u32>, ReconcileError> {
        let key = AccountKey {
            caller,
            started: file,
            pid_tgid: u64::from(pid) << 32 | u64::from(pid),
            ..AccountKey::default()
        };
        Ok(match self.sampler.source.ledger().account_of(key)? {
            Some(account) => Some(account),
            None => self.repair.open_account(pid, caller, file, comm)?,
        })
    }

    fn repair(&mut self, run: &FolioRun, account: Option<u32>) -> Result<RepairedPins, ReconcileError> {
        let stretch = Stretch {
            page: self.scanner.struct_page(run.pfn),
            stride: (PAGE_STRUCT as u64) << run.order,
            folios: run.folios,
            pins: run.pins,
        };
        Ok(self.repair.reconcile(stretch, account)?)
    }

    fn drop_stale(&mut self) -> Result<u64, ReconcileError> {
        Ok(self.repair.drop_stale()?)
    }

    fn sample(&mut self, adjustment: Adjustment) -> Result<Sample, ReconcileError> {
        Ok(self.sampler.sample(adjustment)?)
    }

    fn sample_again(&mut self, sample: &mut Sample, adjustment: Adjustment) -> Result<(), ReconcileError> {
        Ok(self.sampler.sample_again(sample, adjustment)?)
    }
}
