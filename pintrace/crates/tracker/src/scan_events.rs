//! Turns scan results into events. Each process with pins has an account for each subsystem, kind of evidence and open file:
//! opened at the first scan that finds pins, sampled at each change, and closed when a scan finds no pins.

mod holder_sample;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pintrace_events::units::{AccountId, Nanos, Pid, Tid};
use pintrace_events::{AccountOpened, AccountSampled, Body, Event, ProcessExited, ProcessSeen, ScanSampled};
use pintrace_scan::scan_result::ScanResult;

use super::preexisting_file::FileNumbers;
use super::start_time;

use holder_sample::HolderKey;
pub use holder_sample::{HolderSample, NOBODY, nobody};

/// The pins of a process as last emitted.
struct EmittedHolder {
    seen: ProcessSeen,
    totals: AccountSampled,
}

/// The accounts of scan results as last emitted.
pub struct ScanEvents {
    proc: PathBuf,
    emitted: BTreeMap<HolderKey, EmittedHolder>,
    next: u32,
    /// No hook reports the end of a process, so /proc does.
    alone: bool,
    /// Processes whose end is yet to be emitted, each with its start time, whether they hold pins now or not. Empty unless
    /// `alone`.
    running: BTreeMap<Pid, Option<u64>>,
}

impl ScanEvents {
    /// Starts without accounts. The first account gets the id `first`. `alone` is true if no hook reports the end of a
    /// process.
    pub fn new(proc: PathBuf, first: AccountId, alone: bool) -> Self {
        Self {
            alone,
            proc,
            emitted: BTreeMap::new(),
            running: BTreeMap::new(),
            next: first.0,
        }
    }

    /// Returns the events of a scan result: changed accounts, and the totals of the scan.
    pub fn emit_scan(&mut self, time: Nanos, result: &ScanResult) -> Vec<Event> {
        let mut numbers = FileNumbers::default();
        let holders = result.processes.iter().flat_map(|process| {
            let files = numbers.of_process(process);
            process.holders.iter().zip(files).map(|(holder, file)| {
                let file = file.map(|(_, file)| file).unwrap_or_default();
                HolderSample::of(&process.process, holder, file)
            })
        });
        let unknown = HolderSample {
            process: nobody(),
            pages: result.unknown.amount().pages,
            bytes: result.unknown.amount().bytes,
            ..HolderSample::default()
        };
        let mut events = self.emit(time, holders.chain([unknown]));
        events.push(Event {
            time,
            body: Body::ScanSampled(state(result)),
        });
        events
    }

    /// Returns the events of changed accounts. An account without a sample is closed.
    pub fn emit(&mut self, time: Nanos, samples: impl IntoIterator<Item = HolderSample>) -> Vec<Event> {
        let mut events = Vec::new();
        let mut holding: BTreeMap<HolderKey, HolderSample> = BTreeMap::new();
        for sample in samples.into_iter().filter(|sample| sample.pages != 0) {
            // A process may have several holders of one subsystem without a known file.
            holding
                .entry(sample.key())
                .and_modify(|sum| {
                    sum.pages += sample.pages;
                    sum.bytes += sample.bytes;
                })
                .or_insert(sample);
        }
        let holders: BTreeSet<Pid> = holding.keys().map(|key| key.pid).collect();
        for pid in self.ended(&holders) {
            self.exit(time, pid, &mut events);
        }
        let gone: Vec<_> = self
            .emitted
            .keys()
            .filter(|key| !holding.contains_key(*key))
            .copied()
            .collect();
        for key in gone {
            self.close(time, &key, &mut events);
        }
        for (key, sample) in holding {
            let body = self.sample(time, &key, sample, &mut events);
            events.extend(body.map(|body| Event { time, body }));
        }
        events
    }

    /// Returns the pages that all accounts held when last emitted.
    pub fn pages(&self) -> u64 {
        self.emitted
            .values()
            .map(|emitted| emitted.totals.acquired - emitted.totals.released)
            .sum()
    }

    /// Returns the processes that have ended. A process with pins in this scan ended after the scan at the earliest, unless
    /// another process has its pid: its end is left to the next scan, which finds no pins.
    fn ended(&self, holders: &BTreeSet<Pid>) -> Vec<Pid> {
        let has_ended = |(pid, started): &(&Pid, &Option<u64>)| match start_time::of(&self.proc, pid.0) {
            None => !holders.contains(*pid),
            now => now != **started,
        };
        self.running
            .iter()
            .filter(has_ended)
            .map(|(pid, _)| *pid)
            .collect()
    }

    /// Closes all accounts of a process and emits its end, once for the process.
    fn exit(&mut self, time: Nanos, pid: Pid, events: &mut Vec<Event>) {
        self.running.remove(&pid);
        let keys: Vec<_> = self
            .emitted
            .keys()
            .filter(|key| key.pid == pid)
            .copied()
            .collect();
        for key in keys {
            self.close(time, &key, events);
        }
        events.push(Event {
            time,
            body: Body::ProcessExited(ProcessExited {
                pid,
                ..ProcessExited::default()
            }),
        });
    }

    /// Opens the account if the account is new. Returns the totals of the account if the totals changed.
    fn sample(
        &mut self,
        time: Nanos,
        key: &HolderKey,
        sample: HolderSample,
        events: &mut Vec<Event>,
    ) -> Option<Body> {
        let HolderSample {
            process,
            pages,
            bytes,
            ..
        } = sample;
        // The process has executed another program. If a hook reports the ends, another process may have the pid now.
        if self
            .emitted
            .get(key)
            .is_some_and(|emitted| emitted.seen.comm != process.comm)
        {
            self.close(time, key, events);
        }
        if !self.emitted.contains_key(key) {
            if self.alone && key.pid.0 != 0 {
                let started = || start_time::of(&self.proc, key.pid.0);
                self.running.entry(key.pid).or_insert_with(started);
            }
            let account = AccountId(self.next);
            self.next += 1;
            let opened = AccountOpened {
                account,
                pid: key.pid,
                tid: Tid(key.pid.0),
                comm: process.comm.clone(),
                from_scan: true,
                likely_subsystem: key.subsystem.to_owned(),
                evidence: key.evidence,
                file: key.file,
                descriptor: key.descriptor,
                ..AccountOpened::default()
            };
            for body in [Body::ProcessSeen(process.clone()), Body::AccountOpened(opened)] {
                events.push(Event { time, body });
            }
            let totals = AccountSampled {
                account,
                held_since: time,
                ..AccountSampled::default()
            };
            self.emitted.insert(
                *key,
                EmittedHolder {
                    seen: process,
                    totals,
                },
            );
        }
        let emitted = self.emitted.get_mut(key)?;
        let held = emitted.totals.acquired - emitted.totals.released;
        if held == pages && emitted.totals.bytes_held == bytes {
            return None;
        }
        emitted.totals.acquired += pages.saturating_sub(held);
        emitted.totals.released += held.saturating_sub(pages);
        emitted.totals.bytes_held = bytes;
        Some(Body::AccountSampled(emitted.totals))
    }

    /// Closes an account that holds no pages.
    fn close(&mut self, time: Nanos, key: &HolderKey, events: &mut Vec<Event>) {
        let Some(mut emitted) = self.emitted.remove(key) else {
            return;
        };
        emitted.totals.released = emitted.totals.acquired;
        emitted.totals.bytes_held = 0;
        for body in [
            Body::AccountSampled(emitted.totals),
            Body::AccountClosed(emitted.totals.account),
        ] {
            events.push(Event { time, body });
        }
    }
}

fn state(result: &ScanResult) -> ScanSampled {
    let unreadable = &result.unreadable;
    ScanSampled {
        ram_pages: result.memory.ram_pages,
        free_pages: result.memory.free,
        read_ns: result.memory.read_ns,
        took_ns: result.memory.took_ns,
        folios: result.pinned.folios,
        pages: result.pinned.pages,
        bytes: result.pinned.bytes,
        unmapped_pages: result.unknown.amount().pages,
        implausible: result.implausible_count,
        refused: unreadable.refused,
        unread: unreadable.address_pages + unreadable.descriptors + unreadable.tables,
    }
}

#[cfg(test)]
mod tests;
