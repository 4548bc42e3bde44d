//! A session in mode scan: scans memory repeatedly, and turns each scan result into events. No program is attached.

use std::collections::BTreeMap;
use std::time::Instant;

use pintrace_common::counters::Loss;

use crate::pipeline::loader_btf;
use pintrace_events::units::AccountId;
use pintrace_events::{BalanceSampled, Body, Event, Started, Stopped};
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_kernel::vmstat::VmstatReader;
use pintrace_scan::scanner::{Addresses, ScanError, Scanner};
use pintrace_source::baseline::around_scan;
use pintrace_tracker::scan_events::ScanEvents;

use super::start::SessionOptions;
use super::stream_header::{self, now};
use pintrace_tracker::budget::{cpu_time, pause};

/// A session in mode scan.
pub struct ScanSession {
    scanner: Scanner,
    scan_events: ScanEvents,
    vmstat: VmstatReader,
    /// The share of one CPU that scans may take, from 0 to 1.
    budget: f64,
    /// Earliest time of the next scan.
    next: Instant,
    unwritten: u64,
    emitted_unwritten: u64,
}

impl ScanSession {
    /// Starts with a first scan. `why` is the reason why the session does not trace; empty if the user asked for mode
    /// scan.
    pub fn start(
        kernel: &Kernel,
        roots: &Roots,
        options: &SessionOptions,
        why: String,
    ) -> Result<(Self, Vec<Event>), ScanError> {
        let mut session = Self {
            scanner: Scanner::start(&kernel.types, &loader_btf::of(&kernel.types), roots)?,
            scan_events: ScanEvents::new(roots.proc.clone(), AccountId(1), true),
            vmstat: VmstatReader::new(&roots.proc),
            budget: options.scan_budget,
            next: Instant::now(),
            unwritten: 0,
            emitted_unwritten: 0,
        };
        let started = Started {
            mode: "scan".to_owned(),
            without_trace: why,
            command: options.command.clone(),
            ..stream_header::started(&kernel.facts, roots)
        };
        let mut events = vec![Event {
            time: now(),
            body: Body::Started(Box::new(started)),
        }];
        events.extend(session.tick()?);
        Ok((session, events))
    }

    /// Sets the number of events that could not be written to a recording.
    pub fn count_unwritten(&mut self, total: u64) {
        self.unwritten = total;
    }

    /// Scans again if the budget allows a scan. Returns the events, with a tick at the end.
    pub fn tick(&mut self) -> Result<Vec<Event>, ScanError> {
        if Instant::now() >= self.next {
            self.scan()
        } else {
            Ok(self.with_tick(Vec::new()))
        }
    }

    /// Scans a last time, whatever the budget is. Returns the last events of the stream.
    pub fn stop(&mut self, stopped: Stopped) -> Result<Vec<Event>, ScanError> {
        let mut events = self.scan()?;
        events.push(Event {
            time: now(),
            body: Body::Stopped(stopped),
        });
        Ok(events)
    }

    /// Returns the number of pages pinned and released so far, by the vmstat counters.
    pub fn activity(&self) -> u64 {
        let vmstat = self.vmstat.read().unwrap_or_default();
        vmstat.acquired.wrapping_add(vmstat.released)
    }

    fn scan(&mut self) -> Result<Vec<Event>, ScanError> {
        let begin = cpu_time();
        let before = self.vmstat.read();
        let result = self.scanner.scan(Addresses::Skip, &mut |_, _| {})?;
        let after = self.vmstat.read();
        let took = cpu_time().saturating_sub(begin);
        self.next = Instant::now() + pause(took, self.budget);
        let time = now();
        let mut events = self.scan_events.emit_scan(time, &result);
        let pinned = result.pinned.pages;
        let balance = before.zip(after).map_or_else(
            || BalanceSampled {
                ledger_acquired: pinned,
                ..BalanceSampled::default()
            },
            |(before, after)| around_scan(before, after, pinned),
        );
        events.push(Event {
            time,
            body: Body::BalanceSampled(Box::new(balance)),
        });
        Ok(self.with_tick(events))
    }

    /// Adds the losses, if the losses changed, and the tick.
    fn with_tick(&mut self, mut events: Vec<Event>) -> Vec<Event> {
        let time = now();
        if self.unwritten != self.emitted_unwritten {
            self.emitted_unwritten = self.unwritten;
            let losses = BTreeMap::from([(Loss::EventUnwritten.name().to_owned(), self.unwritten)]);
            events.push(Event {
                time,
                body: Body::LossSampled(losses),
            });
        }
        events.push(Event {
            time,
            body: Body::Tick,
        });
        events
    }
}
