//! The interface between a reconciliation and the kernel. [`super::running`] implements [`TracedKernel`] for the
//! running kernel; the tests implement [`TracedKernel`] for a simulated kernel.

use std::time::{Duration, Instant};

use pintrace_events::ProcessSeen;
use pintrace_events::units::Nanos;
use pintrace_scan::pinned_folios::FolioRun;
use pintrace_source::baseline::Adjustment;
use pintrace_source::ledger_repair::RepairedPins;

use super::ReconcileError;
use super::adjustment::LedgerReading;
use crate::preexisting_file::PreexistingFile;
use crate::sampler::Sample;

/// Clocks, scan and ledger of a traced kernel.
pub(super) trait TracedKernel {
    /// Returns the time of the schedule's clock.
    fn now(&self) -> Instant;
    /// Returns the CPU time that the calling thread has used.
    fn cpu_time(&self) -> Duration;
    /// Returns the time of the events' clock.
    fn event_time(&self) -> Nanos;

    /// Scans for all pinned folios.
    fn pinned_folios(&mut self) -> Result<Vec<FolioRun>, ReconcileError>;
    /// Returns the pid of a process that maps each folio, in the order of `folios`; 0 for an unmapped folio.
    fn owners(&mut self, folios: &[FolioRun]) -> Vec<u32>;
    /// Returns the identity of a process.
    fn process(&self, pid: u32) -> ProcessSeen;

    /// Returns the pages that were pinned when tracing began, by vmstat.
    fn preexisting_held(&self) -> u64;
    /// Returns true if a long-term pin call is in flight. The ledger counts its pages when the call returns.
    fn has_calls_in_flight(&self) -> Result<bool, ReconcileError>;
    /// Reads the hooks' totals, then the pages that the accounts hold.
    fn read_ledger(&self) -> Result<LedgerReading, ReconcileError>;
    /// Says which open file of a process a number stands for, before an account with the number is opened.
    fn name_file(&mut self, pid: u32, number: u32, file: PreexistingFile);
    /// Returns the account of a process for pins of this caller and of the open file with this number (0 for none), and
    /// opens the account if necessary. Returns `None` if the account table is full.
    fn account(
        &mut self,
        pid: u32,
        caller: u64,
        file: u32,
        comm: &str,
    ) -> Result<Option<u32>, ReconcileError>;
    /// Drops pins that the ledger has and the folios do not have. Adds pins that the ledger lacks to `account`, if
    /// given.
    fn repair(&mut self, run: &FolioRun, account: Option<u32>) -> Result<RepairedPins, ReconcileError>;
    /// Drops pins that the ledger has and the folios do not have, on every folio of the ledger. Returns the number of
    /// dropped pins.
    fn drop_stale(&mut self) -> Result<u64, ReconcileError>;

    /// Samples balance, accounts and losses.
    fn sample(&mut self, adjustment: Adjustment) -> Result<Sample, ReconcileError>;
    /// Samples balance and accounts once more for the same moment.
    fn sample_again(&mut self, sample: &mut Sample, adjustment: Adjustment) -> Result<(), ReconcileError>;
}
