//! The scan beside the events: at the start it tells the ledger of the pins that are older, and after a loss it
//! sets the ledger right.

mod adjustment;
mod schedule;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use pintrace_common::counters::Loss;
use pintrace_common::ledger::AccountKey;
use pintrace_common::reconcile::caller;
use pintrace_common::scan::PAGE_STRUCT;

use crate::scan_events::{HolderSample, NOBODY, ScanEvents, likely_subsystem, nobody};
use crate::tracker::Tracker;
use pintrace_events::units::{AccountId, Nanos};
use pintrace_events::{BalanceSampled, Event, ProcessSeen};
use pintrace_kernel::process;
use pintrace_scan::pinned_folios::FolioRun;
use pintrace_scan::scanner::{ScanError, Scanner};
use pintrace_source::baseline::Adjustment;
use pintrace_source::ledger::{Ledger, LedgerError};
use pintrace_source::ledger_repair::{LedgerRepair, Stretch};

use super::budget::{cpu_time, pause};
use adjustment::{Adjuster, Standing};
use schedule::Schedule;

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

/// Ticks after the start at which what was then given to the ledger is looked at again: a pin that was under way has
/// been counted twice.
const SETTLING: u32 = 3;
/// For how long a tick waits for a moment at which nothing moves.
const ADJUSTING: Duration = Duration::from_millis(5);
/// Stretches that one healing gives to the ledger one by one.
const MOST: usize = 1 << 16;

/// Where the numbers of accounts that are told beside the ledger begin: the ledger's own stay below.
const NOT_IN_LEDGER: AccountId = AccountId(1 << 31);

/// Losses that falsify what the ledger holds, until it is reconciled.
const LEDGER_LOSSES: &[Loss] = &[
    Loss::FolioTableFull,
    Loss::OwnerCellsFull,
    Loss::AccountTableFull,
    Loss::PagesUnreadable,
    Loss::CellContended,
    Loss::CallSlotsFull,
    Loss::RecursionMissed,
    Loss::ProbeMissed,
];

/// The scan at work on a ledger.
pub struct Reconciler {
    scanner: Scanner,
    repair: LedgerRepair,
    /// Share of one CPU that scans may take.
    budget: f64,
    /// What was given at the start, to be looked at again.
    added_at_start: Vec<Stretch>,
    settling: u32,
    adjuster: Adjuster,
    schedule: Schedule,
    /// What the ledger lacked when the healing under way began.
    missing_folios: Vec<FolioRun>,
    /// CPU time that this healing has taken.
    took: Duration,
    reconciled_pages: u64,
    /// Pins that memory shows and the ledger has no room for, told beside it.
    not_in_ledger: ScanEvents,
}

impl Reconciler {
    /// With a scanner that is ready, and the programs of the ledger's own object.
    pub fn new(scanner: Scanner, repair: LedgerRepair, budget: f64) -> Self {
        Self {
            repair,
            budget,
            added_at_start: Vec::new(),
            settling: 0,
            adjuster: Adjuster::default(),
            schedule: Schedule::new(Instant::now()),
            missing_folios: Vec::new(),
            took: Duration::ZERO,
            reconciled_pages: 0,
            not_in_ledger: ScanEvents::new(scanner.proc().to_owned(), NOT_IN_LEDGER, false),
            scanner,
        }
    }

    /// Tells the ledger of the pins that are older than the hooks.
    pub fn open(&mut self, ledger: &Ledger, tracker: &mut Tracker) -> Result<(), ReconcileError> {
        let result = self.scanner.scan(false, &mut |_, _| {})?;
        let mut names: BTreeMap<u32, String> = BTreeMap::from([(0, NOBODY.to_owned())]);
        for holder in &result.holders {
            tracker.set_likely_subsystem(holder.process.pid.0, likely_subsystem(holder));
            names.insert(holder.process.pid.0, holder.process.comm.clone());
        }
        for (pid, run) in &result.owned {
            let name = names.get(pid).map_or("", String::as_str);
            let Some(account) = self.account(*pid, caller::PREEXISTING, name, ledger)? else {
                continue;
            };
            let stretch = self.stretch(run);
            self.adjuster.preexisting += self.repair.reconcile(stretch, Some(account))?.added;
            self.added_at_start.push(stretch);
        }
        self.settling = SETTLING;
        Ok(())
    }

    /// Takes back what was given to the ledger at the start and had been under way.
    pub fn settle(&mut self) -> Result<(), ReconcileError> {
        if self.settling == 0 {
            return Ok(());
        }
        self.settling -= 1;
        for stretch in &self.added_at_start {
            let dropped = self.repair.reconcile(*stretch, None)?.dropped;
            self.adjuster.preexisting = self.adjuster.preexisting.saturating_sub(dropped);
        }
        if self.settling == 0 {
            self.added_at_start = Vec::new();
        }
        Ok(())
    }

    /// What healing has added to what the hooks' totals say is held.
    pub fn adjustment(&self) -> Adjustment {
        self.adjuster.adjustment()
    }

    /// Puts what is known of preexisting pins, and how much was reconciled, into a sample.
    pub fn apply_to(&self, balance: &mut BalanceSampled, tracker: &Tracker) {
        let known = tracker
            .held_by(caller::PREEXISTING)
            .min(self.adjuster.preexisting);
        // The hooks have seen these as releases of pins that the ledger knew.
        let released = (self.adjuster.preexisting - known).min(balance.ledger_released);
        balance.ledger_released -= released;
        balance.preexisting_released += released;
        balance.preexisting_attributed = known;
        balance.reconciled_pages = self.reconciled_pages;
    }

    /// Whether the ledger is to be gone through, going by an amended sample and the losses so far.
    pub fn is_needed(&mut self, balance: &BalanceSampled, losses: &BTreeMap<String, u64>) -> bool {
        let sums = balance.sums();
        let wrong = sums.unaccounted() != 0 || sums.preexisting < i128::from(balance.preexisting_attributed);
        self.schedule.begins(Instant::now(), wrong, ledger_losses(losses))
    }

    /// Begins to make the ledger agree with memory: takes off what it has too much. What it lacks may be under way, and is
    /// left to [`Self::resume`]. Gives what is to be told of pins that the ledger has no room for.
    pub fn begin(
        &mut self,
        time: Nanos,
        losses: &BTreeMap<String, u64>,
    ) -> Result<Vec<Event>, ReconcileError> {
        let begin = cpu_time();
        self.schedule.begun(ledger_losses(losses));
        self.reconciled_pages += self.repair.drop_stale()?;
        self.missing_folios = self.missing_folios()?;
        self.took = cpu_time().saturating_sub(begin);
        if self.missing_folios.is_empty() {
            return Ok(self.finished(time, BTreeMap::new()));
        }
        self.schedule.wait(Instant::now());
        Ok(Vec::new())
    }

    /// Goes on with what has begun, if its time has come: gives the ledger what it still lacks.
    pub fn resume(&mut self, time: Nanos, ledger: &Ledger) -> Result<Vec<Event>, ReconcileError> {
        if self.due().is_none_or(|due| Instant::now() < due) {
            return Ok(Vec::new());
        }
        let begin = cpu_time();
        let missing_folios = std::mem::take(&mut self.missing_folios);
        let not_in_ledger = self.add_missing(&missing_folios, ledger)?;
        self.took += cpu_time().saturating_sub(begin);
        Ok(self.finished(time, not_in_ledger))
    }

    /// When [`Self::resume`] has something to do, if it has.
    pub fn due(&self) -> Option<Instant> {
        self.schedule.due()
    }

    /// Whether the ledger or the sums are still to be set right.
    pub fn is_running(&self) -> bool {
        self.schedule.is_running()
    }

    /// The end is near: what is wrong now is set right at once.
    pub fn end(&mut self) {
        self.schedule.end();
    }

    /// Nothing more is begun.
    pub fn close(&mut self) {
        self.schedule.close();
    }

    fn finished(&mut self, time: Nanos, not_in_ledger: BTreeMap<u32, HolderSample>) -> Vec<Event> {
        let before = self.not_in_ledger.pages();
        let events = self.not_in_ledger.emit(time, not_in_ledger.into_values());
        self.reconciled_pages += self.not_in_ledger.pages().abs_diff(before);
        self.schedule
            .finished(Instant::now(), pause(self.took, self.budget));
        events
    }

    /// Sets the sums right, if a healing has left that to do: in full at a moment when nothing moves, until one comes as
    /// far as is certain.
    pub fn adjust(&mut self, ledger: &Ledger, preexisting_held: u64) -> Result<(), ReconcileError> {
        if !self.schedule.is_adjusting() {
            return Ok(());
        }
        let begin = Instant::now();
        let mut last = standing(ledger)?;
        let mut best: Option<(u64, Standing)> = None;
        while best.is_none() || begin.elapsed() < ADJUSTING {
            let next = standing(ledger)?;
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
        if let Some((moved, standing)) = best {
            let not_in_ledger = self.not_in_ledger.pages();
            self.adjuster
                .conclude(preexisting_held, &standing, moved, not_in_ledger);
        }
        Ok(())
    }

    /// Single folios that memory shows pinned more often than the ledger knows.
    fn missing_folios(&mut self) -> Result<Vec<FolioRun>, ReconcileError> {
        let (folios, _) = self.scanner.folios(&mut |_, _| {})?;
        let mut missing_folios = Vec::new();
        for run in folios.runs() {
            if self.repair.reconcile(self.stretch(run), None)?.missing == 0 {
                continue;
            }
            for place in 0..run.folios {
                let one = FolioRun {
                    pfn: run.pfn + (place << run.order),
                    folios: 1,
                    ..*run
                };
                if missing_folios.len() < MOST && self.repair.reconcile(self.stretch(&one), None)?.missing > 0
                {
                    missing_folios.push(one);
                }
            }
        }
        Ok(missing_folios)
    }

    /// Gives the ledger single folios that it lacks, each under the process that maps it. What it has no room for comes
    /// back, by process.
    fn add_missing(
        &mut self,
        missing_folios: &[FolioRun],
        ledger: &Ledger,
    ) -> Result<BTreeMap<u32, HolderSample>, ReconcileError> {
        let pids = self.scanner.owners(missing_folios.iter().map(|run| run.pfn));
        let mut accounts: BTreeMap<u32, (ProcessSeen, Option<u32>)> = BTreeMap::new();
        let mut not_in_ledger: BTreeMap<u32, HolderSample> = BTreeMap::new();
        for (run, pid) in missing_folios.iter().zip(pids) {
            let (process, account) = match accounts.entry(pid) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let process = process::read(self.scanner.proc(), pid).unwrap_or_else(nobody);
                    let account = self.account(pid, caller::RECONCILED, &process.comm, ledger)?;
                    new.insert((process, account))
                }
            };
            let repaired = self.repair.reconcile(self.stretch(run), *account)?;
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

    /// The account of a process for pins of that caller.
    fn account(
        &mut self,
        pid: u32,
        caller: u64,
        name: &str,
        ledger: &Ledger,
    ) -> Result<Option<u32>, ReconcileError> {
        let key = AccountKey {
            caller,
            pid_tgid: u64::from(pid) << 32 | u64::from(pid),
            ..AccountKey::default()
        };
        Ok(match ledger.account_of(key)? {
            Some(account) => Some(account),
            None => self.repair.open_account(pid, caller, name)?,
        })
    }

    fn stretch(&self, run: &FolioRun) -> Stretch {
        Stretch {
            page: self.scanner.struct_page(run.pfn),
            stride: (PAGE_STRUCT as u64) << run.order,
            folios: run.folios,
        }
    }
}

fn standing(ledger: &Ledger) -> Result<Standing, ReconcileError> {
    Ok(Standing {
        totals: ledger.totals()?,
        held: ledger.held()?,
    })
}

fn ledger_losses(losses: &BTreeMap<String, u64>) -> u64 {
    LEDGER_LOSSES
        .iter()
        .filter_map(|loss| losses.get(loss.name()))
        .sum()
}
