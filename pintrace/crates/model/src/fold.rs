//! The fold: each event updates one part of the model. Any events in any order give a state, never a panic.

use std::sync::Arc;

use pintrace_events::units::ExtentId;
use pintrace_events::{
    AccountSampled, BalanceSampled, Body, Event, ExtentOpened, ExtentSampled, FlushCheck, MappingChanged,
    ScanSampled, WindowsSampled,
};

use crate::balance::balance;
use crate::detect::{Context, Observation, detect, take_outliving};
use crate::finding_table::FindingTable;
use crate::ledger_state::LedgerState;
use crate::loss::LossState;
use crate::own_cost::OwnCost;
use crate::pin_calls::{CallsInFlight, PinCallTable};
use crate::pins::Pins;
use crate::pins_view::PinsView;
use crate::registrations::RegistrationTable;
use crate::resolve::{Names, Resolver};
use crate::snapshot::Snapshot;
use crate::stack::StackTable;
use crate::stream::StreamState;
use crate::suppressed::SuppressedTable;
use crate::windows::WindowTable;

/// The state after the events so far.
#[derive(Clone, Debug, Default)]
pub struct Model {
    stream: StreamState,
    pub(crate) pins: Pins,
    stacks: StackTable,
    balance: BalanceSampled,
    scan: Option<ScanSampled>,
    loss: LossState,
    ledger: LedgerState,
    windows: WindowTable,
    flush_check: FlushCheck,
    suppressed: SuppressedTable,
    pin_calls: PinCallTable,
    calls_in_flight: CallsInFlight,
    registrations: RegistrationTable,
    findings: FindingTable,
    unapplied_events: u64,
    /// The names and the rows that the latest snapshot shows.
    names: Names,
    view: PinsView,
    own_cost: Option<Arc<OwnCost>>,
}

impl Model {
    /// Applies one event.
    pub fn apply(&mut self, event: &Event) {
        let time = event.time;
        self.stream.advance(time);
        let applied = match &event.body {
            Body::Started(started) => {
                self.pins.scan_only = started.mode == "scan";
                self.stream.started(time, started)
            }
            Body::ProcessSeen(seen) => {
                self.make_room();
                self.pin_calls.processes_changed();
                self.pins.process_seen(seen)
            }
            Body::ProcessExited(exited) => {
                self.pin_calls.processes_changed();
                self.pins.process_exited(time, *exited)
            }
            Body::ProcessExeced(pid) => self.pins.process_execed(time, *pid),
            Body::FileReleased(file) => self.pins.file_released(time, *file),
            Body::AccountOpened(opened) => {
                self.pin_calls.close(opened.account, &mut self.pins);
                self.make_room();
                self.pin_calls.processes_changed();
                self.pins.account_opened(opened)
            }
            Body::AccountSampled(sample) => self.account_sampled(event, *sample),
            Body::AccountClosed(account) => {
                self.pin_calls.close(*account, &mut self.pins);
                self.pins.account_closed(*account)
            }
            Body::PinCallsSampled(sample) => self.pin_calls.sample(sample, &self.pins),
            Body::RegistrationFailed(failed) => {
                self.pin_calls.registrations_changed();
                self.registrations.sample(failed, &self.pins, &self.stacks)
            }
            Body::CallsInFlight(calls) => self.calls_in_flight.sample(time, calls),
            Body::ExtentOpened(opened) => self.extent_opened(event, *opened),
            Body::ExtentSampled(sample) => self.extent_sampled(event, sample),
            Body::ExtentMarked(marked) => self.pins.extent_marked(time, *marked),
            Body::ExtentClosed(closed) => self.extent_closed(event, closed.extent),
            Body::StackSeen(seen) => {
                self.names.stack_seen(seen.stack);
                self.stacks.stack_seen(seen)
            }
            Body::SymbolSeen(seen) => {
                self.names.symbol_seen(seen.address);
                self.stacks.symbol_seen(seen)
            }
            Body::BalanceSampled(sample) => {
                self.ledger.balance(sample);
                replace(&mut self.balance, **sample)
            }
            Body::LossSampled(sample) => {
                self.ledger.losses(sample);
                self.loss.sample(sample)
            }
            Body::ScanSampled(sample) => replace(&mut self.scan, Some(*sample)),
            Body::MappingChanged(change) => self.mapping_changed(event, change),
            Body::MmExited(mm) => self.pins.extents.mm_exited(time, *mm),
            Body::AddressSpaceFreed(file) => self.pins.extents.address_space_freed(*file),
            Body::CowSampled(cow) => self.detect(event, Observation::Cow(cow)),
            Body::WindowsSampled(sample) => self.windows_sampled(event, sample),
            Body::ChangesSuppressed(total) => {
                self.suppressed.sample(total);
                true
            }
            Body::FlushCheckSampled(check) => replace(&mut self.flush_check, *check),
            Body::FindingHooksAttached(attached) => self.stream.finding_hooks_attached(time, attached),
            Body::DetailShed(shed) => self.stream.detail_shed(*shed),
            Body::Tick => self.tick(),
            Body::Stopped(stopped) => self.stream.stopped(stopped),
        };
        self.unapplied_events = self.unapplied_events.saturating_add(u64::from(!applied));
    }

    /// Forgets the processes that ended longest ago and hold nothing, until `keep` such processes are left. The pages
    /// and pin calls of forgotten processes stay in the totals by subsystem. Endless sessions need this call.
    pub fn forget_ended(&mut self, keep: usize) {
        let forgotten = self.pins.forget_ended(keep);
        self.pin_calls.forgotten(&forgotten);
    }

    /// Makes room for a process if necessary, by forgetting ended processes.
    fn make_room(&mut self) {
        let forgotten = self.pins.make_room();
        if !forgotten.is_empty() {
            self.pin_calls.forgotten(&forgotten);
        }
    }

    /// Returns the number of objects in the state, of which each takes some hundred bytes: processes, accounts, extents, stacks
    /// and symbols. Copies of the state are limited by this number.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.pins.objects() + self.stacks.objects()
    }

    /// Takes the own cost, which snapshots have from now on.
    pub fn set_own_cost(&mut self, cost: Option<Arc<OwnCost>>) {
        self.own_cost = cost;
    }

    /// Returns the state at this moment. The time depends on the changes since the last snapshot: the snapshot shares with
    /// it what has not changed.
    #[must_use]
    pub fn snapshot(&mut self) -> Snapshot {
        let anew = self.names.forget_stale();
        let mut resolver = Resolver::new(&self.stacks, &mut self.names);
        let findings = self.findings.list(&mut resolver);
        self.view.update(&mut self.pins, anew, &mut resolver);
        self.pin_calls
            .update(&self.pins, &self.registrations, anew, &mut resolver);
        let balance = balance(&self.balance);
        let pinned = u64::try_from(balance.in_flight).unwrap_or(0);
        let calls_in_flight = self
            .calls_in_flight
            .list(pinned, &self.pins, &self.pin_calls, &mut resolver);
        Snapshot {
            taken_wall_ns: 0,
            time: self.stream.time,
            duration: self.stream.time.since(self.stream.start.unwrap_or_default()),
            started: self.stream.header.clone().unwrap_or_default(),
            stopped: self.stream.ending.is_some(),
            ending: self.stream.ending.clone(),
            balance,
            scan: self.scan,
            loss: self.loss.list(),
            suppressed: self.suppressed.list(),
            processes: self.view.processes.clone(),
            subsystems: self.view.subsystems.list(),
            findings,
            finding_counts: self.findings.counts(),
            findings_dropped: self.findings.dropped,
            windows: self.windows.list(),
            windows_by_cause: self.windows.by_cause(),
            pin_calls: self.pin_calls.rows(),
            pin_call_totals: self.pin_calls.by_subsystem(),
            calls_in_flight,
            number_in_flight: self.calls_in_flight.number,
            failed_registrations: self.registrations.list(),
            registration_failures: self.registrations.totals(),
            flush_check: self.flush_check,
            finding_hooks: self.stream.finding_hooks,
            shed: self.stream.shed.clone(),
            unapplied_events: self.unapplied_events,
            own_cost: self.own_cost.clone(),
            selection: None,
        }
    }

    fn account_sampled(&mut self, event: &Event, sample: AccountSampled) -> bool {
        self.pin_calls.account_changed(sample.account);
        if let Some(late) = self.pins.late_account_stack(&sample) {
            self.findings.late_stack(&late);
        }
        let applied = self.pins.account_sampled(event.time, sample);
        let context = Context {
            now: event.time,
            stream: &self.stream,
            pins: &self.pins,
            ledger_uncertain: self.ledger.uncertain,
        };
        if let Some(account) = self.pins.accounts.get(sample.account) {
            detect(Observation::Account(account), context, &mut self.findings);
        }
        applied
    }

    /// Opens an extent. An open extent with the same id is closed first: its end is missing in the stream.
    fn extent_opened(&mut self, event: &Event, opened: ExtentOpened) -> bool {
        self.extent_closed(event, opened.extent);
        self.pins.extent_opened(event.time, opened)
    }

    fn extent_sampled(&mut self, event: &Event, sample: &ExtentSampled) -> bool {
        if let Some(late) = self.pins.late_extent_stack(sample) {
            self.findings.late_stack(&late);
        }
        self.pins.extent_sampled(event.time, sample)
    }

    fn extent_closed(&mut self, event: &Event, extent: ExtentId) -> bool {
        let Some(closed) = self.pins.extent_closed(event.time, extent) else {
            return false;
        };
        self.detect(event, Observation::ExtentClosed(&closed))
    }

    fn mapping_changed(&mut self, event: &Event, change: &MappingChanged) -> bool {
        let hits = self.pins.extents.changed(event.time, change);
        self.detect(event, Observation::MappingChanged(change, &hits));
        self.pins.extents.unmap(change, &hits);
        true
    }

    fn windows_sampled(&mut self, event: &Event, sample: &WindowsSampled) -> bool {
        self.windows.sample(sample);
        self.detect(event, Observation::Windows(sample))
    }

    fn tick(&mut self) -> bool {
        let now = self.stream.time;
        let outliving = take_outliving(&mut self.pins, now, self.ledger.uncertain);
        let context = Context {
            now,
            stream: &self.stream,
            pins: &self.pins,
            ledger_uncertain: self.ledger.uncertain,
        };
        detect(Observation::Tick(&outliving), context, &mut self.findings);
        if let Some(seconds) = self.stream.tick() {
            self.pins.tick(seconds);
        }
        true
    }

    /// Gives an observation to the detectors.
    fn detect(&mut self, event: &Event, observation: Observation<'_>) -> bool {
        let context = Context {
            now: event.time,
            stream: &self.stream,
            pins: &self.pins,
            ledger_uncertain: self.ledger.uncertain,
        };
        detect(observation, context, &mut self.findings);
        true
    }
}

/// Takes a sample that replaces the previous one.
fn replace<T>(latest: &mut T, sample: T) -> bool {
    *latest = sample;
    true
}
