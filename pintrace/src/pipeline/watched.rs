//! A kernel whose memory is looked at again and again, as a stream of events: for where nothing can be traced.

use std::collections::BTreeMap;
use std::time::Instant;

use pintrace_common::counters::Loss;

use crate::pipeline::loader_btf;
use pintrace_events::units::AccountId;
use pintrace_events::{Body, Event, Started, Stopped, TruthSampled};
use pintrace_kernel::books::BooksReader;
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_scan::scanner::{ScanError, Scanner};
use pintrace_source::truth::around;
use pintrace_tracker::sightings::Sightings;

use super::origin::{self, now};
use super::start::SessionOptions;
use pintrace_tracker::budget::{cpu_time, pause};

/// Memory under watch.
pub struct Watched {
    scanner: Scanner,
    sightings: Sightings,
    books: BooksReader,
    /// Share of one CPU that looking may take.
    budget: f64,
    /// Not to look again before.
    next: Instant,
    unwritten: u64,
    told_unwritten: u64,
}

impl Watched {
    /// Looks for the first time. `why` says why nothing is traced; empty if that was not asked for.
    pub fn start(
        kernel: &Kernel,
        roots: &Roots,
        options: &SessionOptions,
        why: String,
    ) -> Result<(Self, Vec<Event>), ScanError> {
        let mut watched = Self {
            scanner: Scanner::start(&kernel.types, &loader_btf::of(&kernel.types), roots)?,
            sightings: Sightings::new(roots.proc.clone(), AccountId(1), true),
            books: BooksReader::new(&roots.proc),
            budget: options.scan_budget,
            next: Instant::now(),
            unwritten: 0,
            told_unwritten: 0,
        };
        let started = Started {
            witness: "state".to_owned(),
            without_events: why,
            command: options.command.clone(),
            ..origin::started(&kernel.facts, roots)
        };
        let mut events = vec![Event {
            time: now(),
            body: Body::Started(started),
        }];
        events.extend(watched.tick()?);
        Ok((watched, events))
    }

    /// Counts events that a recording could not take.
    pub fn count_unwritten(&mut self, total: u64) {
        self.unwritten = total;
    }

    /// Looks again, unless that would take more than its share; ends with a tick.
    pub fn tick(&mut self) -> Result<Vec<Event>, ScanError> {
        if Instant::now() >= self.next {
            self.look()
        } else {
            Ok(self.ended(Vec::new()))
        }
    }

    /// The last events: a look in any case.
    pub fn stop(&mut self, stopped: Stopped) -> Result<Vec<Event>, ScanError> {
        let mut events = self.look()?;
        events.push(Event {
            time: now(),
            body: Body::Stopped(stopped),
        });
        Ok(events)
    }

    /// Pages pinned and released so far, by the books.
    pub fn activity(&self) -> u64 {
        let books = self.books.read().unwrap_or_default();
        books.acquired.wrapping_add(books.released)
    }

    fn look(&mut self) -> Result<Vec<Event>, ScanError> {
        let begin = cpu_time();
        let before = self.books.read();
        let look = self.scanner.look(false, &mut |_, _| {})?;
        let after = self.books.read();
        let took = cpu_time().saturating_sub(begin);
        self.next = Instant::now() + pause(took, self.budget);
        let time = now();
        let mut events = self.sightings.tell_look(time, &look);
        let pinned = look.pinned.pages;
        let truth = before.zip(after).map_or_else(
            || TruthSampled {
                ledger_acquired: pinned,
                ..TruthSampled::default()
            },
            |(before, after)| around(before, after, pinned),
        );
        events.push(Event {
            time,
            body: Body::TruthSampled(truth),
        });
        Ok(self.ended(events))
    }

    /// With the losses, if they changed, and the tick.
    fn ended(&mut self, mut events: Vec<Event>) -> Vec<Event> {
        let time = now();
        if self.unwritten != self.told_unwritten {
            self.told_unwritten = self.unwritten;
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
