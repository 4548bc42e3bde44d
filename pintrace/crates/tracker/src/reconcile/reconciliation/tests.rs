//! Reconciliations of a simulated kernel.

use std::cell::Cell;

use pintrace_scan::kind::MemoryKind;
use pintrace_source::baseline::{Adjustment, Totals};
use pintrace_source::ledger::HeldPages;
use pintrace_source::ledger_repair::RepairedPins;

use pintrace_common::counters::Loss;
use pintrace_events::units::Pid;

use super::*;

const TICK: Duration = Duration::from_millis(100);
const IN_FLIGHT_WAIT: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);

/// A simulated kernel with one folio per page frame: the pins by memory and by the ledger, each by page frame number.
struct Simulated {
    start: Instant,
    elapsed: Cell<Duration>,
    memory: BTreeMap<u64, u64>,
    ledger: BTreeMap<u64, u64>,
    /// The hooks' totals.
    totals: Totals,
    preexisting: u64,
    losses: BTreeMap<String, u64>,
    accounts_full: bool,
    /// Pages that a call in flight asks for.
    in_flight: u64,
    /// Pages pinned by other processes during the ledger readings so far.
    busy: Cell<u64>,
    /// Pages that other processes pin during each ledger reading.
    grows: u64,
    readings: Cell<u32>,
}

impl Simulated {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            elapsed: Cell::default(),
            memory: BTreeMap::new(),
            ledger: BTreeMap::new(),
            totals: Totals::default(),
            preexisting: 0,
            losses: BTreeMap::new(),
            accounts_full: false,
            in_flight: 0,
            busy: Cell::default(),
            grows: 0,
            readings: Cell::default(),
        }
    }

    fn pass(&self, time: Duration) {
        self.elapsed.set(self.elapsed.get() + time);
    }

    fn lose(&mut self) {
        *self
            .losses
            .entry(Loss::CellContended.name().to_owned())
            .or_default() += 1;
    }

    fn held(&self) -> u64 {
        self.ledger.values().sum()
    }

    fn in_memory(&self) -> u64 {
        self.memory.values().sum()
    }
}

impl TracedKernel for Simulated {
    fn now(&self) -> Instant {
        self.start + self.elapsed.get()
    }

    fn cpu_time(&self) -> Duration {
        Duration::ZERO
    }

    fn event_time(&self) -> Nanos {
        Nanos(1)
    }

    fn pinned_folios(&mut self) -> Result<Vec<FolioRun>, ReconcileError> {
        Ok(self.memory.keys().map(|pfn| run(*pfn)).collect())
    }

    fn owners(&mut self, folios: &[FolioRun]) -> Vec<u32> {
        vec![7; folios.len()]
    }

    fn process(&self, pid: u32) -> ProcessSeen {
        ProcessSeen {
            pid: Pid(pid),
            ..ProcessSeen::default()
        }
    }

    fn preexisting_held(&self) -> u64 {
        0
    }

    fn has_calls_in_flight(&self) -> Result<bool, ReconcileError> {
        Ok(self.in_flight != 0)
    }

    fn read_ledger(&self) -> Result<LedgerReading, ReconcileError> {
        self.pass(Duration::from_millis(1));
        self.readings.set(self.readings.get() + 1);
        self.busy.set(self.busy.get() + self.grows);
        Ok(LedgerReading {
            totals: Totals {
                acquired: self.totals.acquired + self.busy.get(),
                ..self.totals
            },
            held: HeldPages {
                all: self.held(),
                preexisting: self.preexisting,
            },
        })
    }

    fn name_file(&mut self, _: u32, _: u32, _: PreexistingFile) {}

    fn account(&mut self, _: u32, _: u64, _: u32, _: &str) -> Result<Option<u32>, ReconcileError> {
        Ok((!self.accounts_full).then_some(1))
    }

    fn repair(&mut self, run: &FolioRun, account: Option<u32>) -> Result<RepairedPins, ReconcileError> {
        let pinned = self.memory.get(&run.pfn).copied().unwrap_or(0);
        let held = self.ledger.entry(run.pfn).or_default();
        let lacking = pinned.saturating_sub(*held);
        let repaired = RepairedPins {
            dropped: held.saturating_sub(pinned),
            added: if account.is_some() { lacking } else { 0 },
            missing: if account.is_some() { 0 } else { lacking },
        };
        *held = *held - repaired.dropped + repaired.added;
        Ok(repaired)
    }

    fn drop_stale(&mut self) -> Result<u64, ReconcileError> {
        let frames: Vec<u64> = self.ledger.keys().copied().collect();
        let mut dropped = 0;
        for pfn in frames {
            dropped += self.repair(&run(pfn), None)?.dropped;
        }
        Ok(dropped)
    }

    fn sample(&mut self, adjustment: Adjustment) -> Result<Sample, ReconcileError> {
        let mut sample = Sample {
            time: Nanos(2),
            losses: self.losses.clone(),
            ..Sample::default()
        };
        self.sample_again(&mut sample, adjustment)?;
        Ok(sample)
    }

    fn sample_again(&mut self, sample: &mut Sample, adjustment: Adjustment) -> Result<(), ReconcileError> {
        sample.preexisting_in_accounts = self.preexisting;
        sample.balance = pintrace_events::BalanceSampled {
            vmstat_acquired: Some(self.in_memory()),
            vmstat_released: Some(0),
            ledger_acquired: self.totals.acquired,
            ledger_released: self.totals.released,
            wanted_in_flight: self.in_flight,
            reconciled: adjustment.ledger,
            preexisting_reconciled: adjustment.preexisting,
            ..pintrace_events::BalanceSampled::default()
        };
        Ok(())
    }
}

fn run(pfn: u64) -> FolioRun {
    FolioRun {
        pfn,
        folios: 1,
        order: 0,
        kind: MemoryKind::Anon,
        pins: 1,
        exclusive: None,
        index: 0,
    }
}

fn reconciliation(kernel: &Simulated) -> Reconciliation {
    Reconciliation::new(
        kernel.now(),
        1.0,
        ScanEvents::new("/proc".into(), NOT_IN_LEDGER, false),
    )
}

fn unaccounted(sample: &Sample) -> i128 {
    sample.balance.sums().unaccounted()
}

/// The hooks missed a pin of two pages.
fn missed_pin() -> Simulated {
    let mut kernel = Simulated::new();
    kernel.memory.insert(40, 2);
    kernel
}

#[test]
fn a_missed_pin_is_added_20_ms_after_two_samples_that_differ() {
    let mut kernel = missed_pin();
    let mut reconciliation = reconciliation(&kernel);
    let (sample, _) = reconciliation.reconcile(&mut kernel).unwrap();
    assert_eq!((unaccounted(&sample), reconciliation.schedule.due()), (2, None));
    kernel.pass(TICK);
    reconciliation.reconcile(&mut kernel).unwrap();
    assert_eq!(reconciliation.schedule.due(), Some(kernel.now() + IN_FLIGHT_WAIT));
    kernel.pass(Duration::from_millis(19));
    reconciliation.reconcile(&mut kernel).unwrap();
    assert_eq!(kernel.held(), 0);
    kernel.pass(Duration::from_millis(1));
    let (sample, events) = reconciliation.reconcile(&mut kernel).unwrap();
    assert_eq!((kernel.held(), unaccounted(&sample)), (2, 0));
    assert_eq!(sample.balance.reconciled_pages, 2);
    assert!(events.is_empty() && !reconciliation.schedule.is_running());
}

#[test]
fn pins_of_a_call_in_flight_are_not_added() {
    let mut kernel = missed_pin();
    kernel.lose();
    let mut reconciliation = reconciliation(&kernel);
    kernel.in_flight = 2;
    reconciliation.reconcile(&mut kernel).unwrap();
    for _ in 0..3 {
        kernel.pass(SECOND);
        reconciliation.reconcile(&mut kernel).unwrap();
        assert_eq!(reconciliation.schedule.due(), Some(kernel.now() + SECOND));
        assert_eq!(kernel.held(), 0);
    }
    kernel.in_flight = 0;
    kernel.pass(SECOND);
    reconciliation.reconcile(&mut kernel).unwrap();
    assert_eq!(kernel.held(), 2);
}

#[test]
fn a_call_that_never_returns_does_not_stop_reconciliations() {
    let mut kernel = missed_pin();
    kernel.lose();
    let mut reconciliation = reconciliation(&kernel);
    kernel.in_flight = 2;
    reconciliation.reconcile(&mut kernel).unwrap();
    for _ in 0..MOST_POSTPONED {
        assert!(reconciliation.schedule.due().is_some());
        kernel.pass(SECOND);
        reconciliation.reconcile(&mut kernel).unwrap();
    }
    kernel.pass(SECOND);
    reconciliation.reconcile(&mut kernel).unwrap();
    assert_eq!((reconciliation.schedule.due(), kernel.held()), (None, 0));
    // A missed release is still dropped.
    kernel.ledger.insert(41, 3);
    kernel.lose();
    kernel.pass(SECOND);
    reconciliation.reconcile(&mut kernel).unwrap();
    assert_eq!(kernel.held(), 0);
}

#[test]
fn a_missed_release_is_dropped_and_adjusted_in_the_sample_that_finds_a_loss() {
    let mut kernel = Simulated::new();
    kernel.ledger.insert(40, 2);
    kernel.totals.acquired = 2;
    kernel.lose();
    let (sample, _) = reconciliation(&kernel).reconcile(&mut kernel).unwrap();
    assert_eq!((kernel.held(), unaccounted(&sample)), (0, 0));
    assert_eq!(sample.balance.reconciled, -2);
}

#[test]
fn pins_without_an_account_are_reported_outside_the_ledger() {
    let mut kernel = missed_pin();
    kernel.accounts_full = true;
    kernel.lose();
    let mut reconciliation = reconciliation(&kernel);
    reconciliation.reconcile(&mut kernel).unwrap();
    kernel.pass(IN_FLIGHT_WAIT);
    let (sample, events) = reconciliation.reconcile(&mut kernel).unwrap();
    assert_eq!((kernel.held(), unaccounted(&sample)), (0, 0));
    let opened = events.iter().find_map(|event| match &event.body {
        pintrace_events::Body::AccountOpened(opened) => Some(opened.account),
        _ => None,
    });
    assert_eq!(opened, Some(NOT_IN_LEDGER));
}

#[test]
fn preexisting_pins_settle_for_three_samples() {
    let mut kernel = Simulated::new();
    kernel.memory.insert(40, 4);
    let mut reconciliation = reconciliation(&kernel);
    reconciliation
        .add_preexisting(
            &mut kernel,
            &[PreexistingPins {
                pid: 7,
                comm: String::new(),
                caller: caller::PREEXISTING,
                file: None,
                runs: vec![run(40)],
            }],
        )
        .unwrap();
    assert_eq!(reconciliation.adjuster.preexisting, 4);
    for left in [3, 2, 1, 1, 1] {
        kernel.memory.insert(40, left);
        reconciliation.settle(&mut kernel).unwrap();
        assert_eq!(reconciliation.adjuster.preexisting, left);
    }
    kernel.memory.insert(40, 0);
    reconciliation.settle(&mut kernel).unwrap();
    assert_eq!(reconciliation.adjuster.preexisting, 1);
}

#[test]
fn totals_are_adjusted_fully_only_when_nothing_moves() {
    let mut kernel = Simulated::new();
    kernel.ledger.insert(40, 10);
    kernel.totals.acquired = 10;
    kernel.grows = 3;
    kernel.lose();
    let mut reconciliation = reconciliation(&kernel);
    reconciliation.reconcile(&mut kernel).unwrap();
    assert!(reconciliation.schedule.is_running());
    // The simulated kernel takes 1 ms for a reading, and a sample waits for 5 ms at most.
    assert!(kernel.readings.get() <= 6, "{}", kernel.readings.get());
    kernel.grows = 0;
    kernel.pass(TICK);
    reconciliation.reconcile(&mut kernel).unwrap();
    assert!(!reconciliation.schedule.is_running());
}

/// Returns a reconciliation that gave up because a call is in flight, and that had reported two pages outside the ledger
/// before.
fn given_up(kernel: &mut Simulated) -> Reconciliation {
    kernel.accounts_full = true;
    kernel.lose();
    let mut reconciliation = reconciliation(kernel);
    reconciliation.reconcile(kernel).unwrap();
    kernel.pass(IN_FLIGHT_WAIT);
    reconciliation.reconcile(kernel).unwrap();
    assert_eq!(reconciliation.not_in_ledger.pages(), 2);
    kernel.in_flight = 2;
    kernel.lose();
    for _ in 0..MOST_POSTPONED + 2 {
        kernel.pass(SECOND);
        let (_, events) = reconciliation.reconcile(kernel).unwrap();
        assert_eq!(events, []);
    }
    assert_eq!(reconciliation.schedule.due(), None);
    reconciliation
}

#[test]
fn pins_outside_the_ledger_stay_while_a_call_is_in_flight() {
    let mut kernel = missed_pin();
    let mut reconciliation = given_up(&mut kernel);
    let (sample, _) = reconciliation.reconcile(&mut kernel).unwrap();
    assert_eq!(
        (reconciliation.not_in_ledger.pages(), unaccounted(&sample)),
        (2, 0)
    );
}

#[test]
fn pins_outside_the_ledger_that_are_released_go_also_while_a_call_is_in_flight() {
    let mut kernel = missed_pin();
    let mut reconciliation = given_up(&mut kernel);
    kernel.memory.clear();
    for _ in 0..3 {
        kernel.pass(SECOND);
        reconciliation.reconcile(&mut kernel).unwrap();
    }
    assert_eq!(reconciliation.not_in_ledger.pages(), 0);
}

#[test]
fn a_call_that_returns_before_the_last_attempt_does_not_stop_the_comparison() {
    let mut kernel = missed_pin();
    kernel.lose();
    let mut reconciliation = reconciliation(&kernel);
    kernel.in_flight = 2;
    for _ in 0..=MOST_POSTPONED {
        reconciliation.reconcile(&mut kernel).unwrap();
        kernel.pass(SECOND);
    }
    assert_eq!((reconciliation.postponed, kernel.held()), (MOST_POSTPONED, 0));
    kernel.in_flight = 0;
    reconciliation.reconcile(&mut kernel).unwrap();
    assert_eq!((reconciliation.postponed, kernel.held()), (0, 2));
}
