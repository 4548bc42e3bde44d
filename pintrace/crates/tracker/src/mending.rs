//! The state witness beside the events: at the start it tells the ledger of the pins that are older, and after a loss it
//! sets the ledger right.

mod course;
mod sums;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use pintrace_common::counters::Loss;
use pintrace_common::ledger::AccountKey;
use pintrace_common::mend::caller;
use pintrace_common::scan::PAGE_STRUCT;

use crate::sightings::{NOBODY, Sighting, Sightings, nobody, suspect};
use crate::tracker::Tracker;
use pintrace_events::units::{AccountId, Nanos};
use pintrace_events::{Event, ProcessSeen, TruthSampled};
use pintrace_kernel::process;
use pintrace_scan::found::Run;
use pintrace_scan::scanner::{ScanError, Scanner};
use pintrace_source::ledger::{Ledger, LedgerError};
use pintrace_source::mender::{Mender, Stretch};
use pintrace_source::truth::Healed;

use super::budget::{cpu_time, pause};
use course::Course;
use sums::{Standing, Sums};

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
const SUMMING: Duration = Duration::from_millis(5);
/// Stretches that one healing gives to the ledger one by one.
const MOST: usize = 1 << 16;

/// Where the numbers of accounts that are told beside the ledger begin: the ledger's own stay below.
const UNPLACED: AccountId = AccountId(1 << 31);

/// Losses that falsify what the ledger holds, until it is healed.
const FALSIFYING: &[Loss] = &[
    Loss::FolioTableFull,
    Loss::HolderCellsFull,
    Loss::AccountTableFull,
    Loss::PagesUnreadable,
    Loss::CellContended,
    Loss::CallSlotsFull,
    Loss::RecursionMissed,
    Loss::ProbeMissed,
];

/// The state witness at work on a ledger.
pub struct Mending {
    scanner: Scanner,
    mender: Mender,
    /// Share of one CPU that scans may take.
    budget: f64,
    /// What was given at the start, to be looked at again.
    given: Vec<Stretch>,
    settling: u32,
    sums: Sums,
    course: Course,
    /// What the ledger lacked when the healing under way began.
    lacking: Vec<Run>,
    /// CPU time that this healing has taken.
    took: Duration,
    healed_pages: u64,
    /// Pins that memory shows and the ledger has no room for, told beside it.
    unplaced: Sightings,
}

impl Mending {
    /// With a scanner that is ready, and the programs of the ledger's own object.
    pub fn new(scanner: Scanner, mender: Mender, budget: f64) -> Self {
        Self {
            mender,
            budget,
            given: Vec::new(),
            settling: 0,
            sums: Sums::default(),
            course: Course::new(Instant::now()),
            lacking: Vec::new(),
            took: Duration::ZERO,
            healed_pages: 0,
            unplaced: Sightings::new(scanner.proc().to_owned(), UNPLACED, false),
            scanner,
        }
    }

    /// Tells the ledger of the pins that are older than the hooks.
    pub fn open(&mut self, ledger: &Ledger, tracker: &mut Tracker) -> Result<(), ReconcileError> {
        let look = self.scanner.look(false, &mut |_, _| {})?;
        let mut names: BTreeMap<u32, String> = BTreeMap::from([(0, NOBODY.to_owned())]);
        for holder in &look.holders {
            tracker.suspect(holder.process.pid.0, suspect(holder));
            names.insert(holder.process.pid.0, holder.process.comm.clone());
        }
        for (pid, run) in &look.owned {
            let name = names.get(pid).map_or("", String::as_str);
            let Some(account) = self.account(*pid, caller::OLDER, name, ledger)? else {
                continue;
            };
            let stretch = self.stretch(run);
            self.sums.older += self.mender.mend(stretch, Some(account))?.added;
            self.given.push(stretch);
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
        for stretch in &self.given {
            let dropped = self.mender.mend(*stretch, None)?.dropped;
            self.sums.older = self.sums.older.saturating_sub(dropped);
        }
        if self.settling == 0 {
            self.given = Vec::new();
        }
        Ok(())
    }

    /// What healing has added to what the hooks' totals say is held.
    pub fn healed(&self) -> Healed {
        self.sums.healed()
    }

    /// Puts what is known of older pins, and how much was healed, into a sample.
    pub fn amend(&self, truth: &mut TruthSampled, tracker: &Tracker) {
        let known = tracker.held_by(caller::OLDER).min(self.sums.older);
        // The hooks have seen these as releases of pins that the ledger knew.
        let released = (self.sums.older - known).min(truth.ledger_released);
        truth.ledger_released -= released;
        truth.opening_released += released;
        truth.opening_known = known;
        truth.healed_pages = self.healed_pages;
    }

    /// Whether the ledger is to be gone through, going by an amended sample and the losses so far.
    pub fn is_in_doubt(&mut self, truth: &TruthSampled, losses: &BTreeMap<String, u64>) -> bool {
        let balance = truth.balance();
        let wrong = balance.unaccounted() != 0 || balance.opening < i128::from(truth.opening_known);
        self.course.begins(Instant::now(), wrong, falsifying(losses))
    }

    /// Begins to make the ledger agree with memory: takes off what it has too much. What it lacks may be under way, and is
    /// left to [`Self::go_on`]. Gives what is to be told of pins that the ledger has no room for.
    pub fn begin(
        &mut self,
        time: Nanos,
        losses: &BTreeMap<String, u64>,
    ) -> Result<Vec<Event>, ReconcileError> {
        let begin = cpu_time();
        self.course.begun(falsifying(losses));
        self.healed_pages += self.mender.drop_stale()?;
        self.lacking = self.lacking()?;
        self.took = cpu_time().saturating_sub(begin);
        if self.lacking.is_empty() {
            return Ok(self.mended(time, BTreeMap::new()));
        }
        self.course.wait(Instant::now());
        Ok(Vec::new())
    }

    /// Goes on with what has begun, if its time has come: gives the ledger what it still lacks.
    pub fn go_on(&mut self, time: Nanos, ledger: &Ledger) -> Result<Vec<Event>, ReconcileError> {
        if self.due().is_none_or(|due| Instant::now() < due) {
            return Ok(Vec::new());
        }
        let begin = cpu_time();
        let lacking = std::mem::take(&mut self.lacking);
        let unplaced = self.give(&lacking, ledger)?;
        self.took += cpu_time().saturating_sub(begin);
        Ok(self.mended(time, unplaced))
    }

    /// When [`Self::go_on`] has something to do, if it has.
    pub fn due(&self) -> Option<Instant> {
        self.course.due()
    }

    /// Whether the ledger or the sums are still to be set right.
    pub fn is_under_way(&self) -> bool {
        self.course.is_under_way()
    }

    /// The end is near: what is wrong now is set right at once.
    pub fn end(&mut self) {
        self.course.end();
    }

    /// Nothing more is begun.
    pub fn close(&mut self) {
        self.course.close();
    }

    fn mended(&mut self, time: Nanos, unplaced: BTreeMap<u32, Sighting>) -> Vec<Event> {
        let before = self.unplaced.pages();
        let events = self.unplaced.tell(time, unplaced.into_values());
        self.healed_pages += self.unplaced.pages().abs_diff(before);
        self.course.mended(Instant::now(), pause(self.took, self.budget));
        events
    }

    /// Sets the sums right, if a healing has left that to do: in full at a moment when nothing moves, until one comes as
    /// far as is certain.
    pub fn sum_up(&mut self, ledger: &Ledger, opening_held: u64) -> Result<(), ReconcileError> {
        if !self.course.is_summing() {
            return Ok(());
        }
        let begin = Instant::now();
        let mut last = standing(ledger)?;
        let mut best: Option<(u64, Standing)> = None;
        while best.is_none() || begin.elapsed() < SUMMING {
            let next = standing(ledger)?;
            let moved = last.moved(&next);
            if best.is_none_or(|(least, _)| moved < least) {
                best = Some((moved, last));
            }
            if moved == 0 {
                self.course.summed();
                break;
            }
            last = next;
        }
        if let Some((moved, standing)) = best {
            let unplaced = self.unplaced.pages();
            self.sums.conclude(opening_held, &standing, moved, unplaced);
        }
        Ok(())
    }

    /// Single folios that memory shows pinned more often than the ledger knows.
    fn lacking(&mut self) -> Result<Vec<Run>, ReconcileError> {
        let (folios, _) = self.scanner.folios(&mut |_, _| {})?;
        let mut lacking = Vec::new();
        for run in folios.runs() {
            if self.mender.mend(self.stretch(run), None)?.missing == 0 {
                continue;
            }
            for place in 0..run.folios {
                let one = Run {
                    pfn: run.pfn + (place << run.order),
                    folios: 1,
                    ..*run
                };
                if lacking.len() < MOST && self.mender.mend(self.stretch(&one), None)?.missing > 0 {
                    lacking.push(one);
                }
            }
        }
        Ok(lacking)
    }

    /// Gives the ledger single folios that it lacks, each under the process that maps it. What it has no room for comes
    /// back, by process.
    fn give(&mut self, lacking: &[Run], ledger: &Ledger) -> Result<BTreeMap<u32, Sighting>, ReconcileError> {
        let pids = self.scanner.owners(lacking.iter().map(|run| run.pfn));
        let mut accounts: BTreeMap<u32, (ProcessSeen, Option<u32>)> = BTreeMap::new();
        let mut unplaced: BTreeMap<u32, Sighting> = BTreeMap::new();
        for (run, pid) in lacking.iter().zip(pids) {
            let (process, account) = match accounts.entry(pid) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let process = process::read(self.scanner.proc(), pid).unwrap_or_else(nobody);
                    let account = self.account(pid, caller::HEALED, &process.comm, ledger)?;
                    new.insert((process, account))
                }
            };
            let mended = self.mender.mend(self.stretch(run), *account)?;
            self.healed_pages += mended.added;
            if mended.missing > 0 {
                let sighting = unplaced.entry(pid).or_insert_with(|| Sighting {
                    process: process.clone(),
                    ..Sighting::default()
                });
                sighting.pages += mended.missing;
                sighting.bytes += 4096 << run.order;
            }
        }
        Ok(unplaced)
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
            None => self.mender.open_account(pid, caller, name)?,
        })
    }

    fn stretch(&self, run: &Run) -> Stretch {
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

fn falsifying(losses: &BTreeMap<String, u64>) -> u64 {
    FALSIFYING.iter().filter_map(|loss| losses.get(loss.name())).sum()
}
