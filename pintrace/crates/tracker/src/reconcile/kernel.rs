//! The kernel as the reconciliation sees it. [`super::running`] implements it for the running kernel, the tests
//! for a simulated one.

use std::time::{Duration, Instant};

use pintrace_events::ProcessSeen;
use pintrace_events::units::Nanos;
use pintrace_scan::pinned_folios::FolioRun;
use pintrace_source::baseline::Adjustment;
use pintrace_source::ledger_repair::RepairedPins;

use super::ReconcileError;
use super::adjustment::Standing;
use crate::sampler::Sample;

/// Clocks, scan and ledger of a traced kernel.
pub(super) trait TracedKernel {
    /// The clock of the schedule.
    fn now(&self) -> Instant;
    /// CPU time that this thread has used.
    fn cpu_time(&self) -> Duration;
    /// The clock of the events.
    fn event_time(&self) -> Nanos;

    /// Scans for all pinned folios.
    fn pinned_folios(&mut self) -> Result<Vec<FolioRun>, ReconcileError>;
    /// The processes that map these folios, in the same order; 0 for a folio that none maps.
    fn owners(&mut self, folios: &[FolioRun]) -> Vec<u32>;
    /// A process by its pid.
    fn process(&self, pid: u32) -> ProcessSeen;

    /// Pages that were pinned when tracing began, by vmstat.
    fn preexisting_held(&self) -> u64;
    /// The hooks' totals, then what the accounts hold.
    fn standing(&self) -> Result<Standing, ReconcileError>;
    /// The account of a process for pins of this caller; `None` if the account table is full.
    fn account(&mut self, pid: u32, caller: u64, comm: &str) -> Result<Option<u32>, ReconcileError>;
    /// Drops pins that the ledger has and the folios do not; gives the missing ones to `account`, if there is one.
    fn repair(&mut self, run: &FolioRun, account: Option<u32>) -> Result<RepairedPins, ReconcileError>;
    /// Drops such pins on every folio of the ledger. Returns how many.
    fn drop_stale(&mut self) -> Result<u64, ReconcileError>;

    /// Samples balance, accounts and losses.
    fn sample(&mut self, adjustment: Adjustment) -> Result<Sample, ReconcileError>;
    /// Samples balance and accounts once more for the same moment.
    fn sample_again(&mut self, sample: &mut Sample, adjustment: Adjustment) -> Result<(), ReconcileError>;
}
