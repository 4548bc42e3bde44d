//! Turns scan results into events. Each process with pins has an account for each subsystem and kind of evidence: opened
//! at the first scan that finds pins, sampled at each change, and closed when a scan finds no pins.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pintrace_events::units::{AccountId, Nanos, Pid, Tid};
use pintrace_events::{
    AccountOpened, AccountSampled, Body, Event, Evidence, ProcessExited, ProcessSeen, ScanSampled,
};
use pintrace_scan::scan_result::ScanResult;

/// The pins of a process as last emitted.
struct EmittedHolder {
    seen: ProcessSeen,
    totals: AccountSampled,
}

/// The pins of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HolderSample {
    /// The process that holds the pins.
    pub process: ProcessSeen,
    /// The subsystem that the evidence names; empty if unknown.
    pub likely_subsystem: &'static str,
    /// What shows that the pins belong to the process; `None` if nothing does.
    pub evidence: Option<Evidence>,
    /// Number of pinned pages.
    pub pages: u64,
    /// Bytes that the pins keep in place.
    pub bytes: u64,
}

/// Identity of an account: process, subsystem and evidence.
type HolderKey = (Pid, &'static str, Option<Evidence>);

impl HolderSample {
    fn key(&self) -> HolderKey {
        (self.process.pid, self.likely_subsystem, self.evidence)
    }
}

/// The accounts of scan results as last emitted.
pub struct ScanEvents {
    proc: PathBuf,
    emitted: BTreeMap<HolderKey, EmittedHolder>,
    next: u32,
    /// No hook reports the end of a process, so a missing folder in /proc does.
    alone: bool,
}

impl ScanEvents {
    /// Starts without accounts. The first account gets the id `first`. `alone` is true if no hook reports the end of a
    /// process.
    pub fn new(proc: PathBuf, first: AccountId, alone: bool) -> Self {
        Self {
            alone,
            proc,
            emitted: BTreeMap::new(),
            next: first.0,
        }
    }

    /// Returns the events of a scan result: changed accounts, and the totals of the scan.
    pub fn emit_scan(&mut self, time: Nanos, result: &ScanResult) -> Vec<Event> {
        let holders = result.processes.iter().flat_map(|process| {
            process.holders.iter().map(|holder| HolderSample {
                process: process.process.clone(),
                likely_subsystem: holder.subsystem,
                evidence: Some(holder.evidence),
                pages: holder.amount.pages,
                bytes: holder.amount.bytes,
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
            // A process may have several holders of one subsystem.
            holding
                .entry(sample.key())
                .and_modify(|sum| {
                    sum.pages += sample.pages;
                    sum.bytes += sample.bytes;
                })
                .or_insert(sample);
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
        // Another process has the pid now.
        if self
            .emitted
            .get(key)
            .is_some_and(|emitted| emitted.seen.comm != process.comm)
        {
            self.close(time, key, events);
        }
        if !self.emitted.contains_key(key) {
            let account = AccountId(self.next);
            self.next += 1;
            let opened = AccountOpened {
                account,
                pid: key.0,
                tid: Tid(key.0.0),
                comm: process.comm.clone(),
                from_scan: true,
                likely_subsystem: key.1.to_owned(),
                evidence: key.2,
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

    /// Closes an account that holds no pages. A process without a folder in /proc has exited.
    fn close(&mut self, time: Nanos, key: &HolderKey, events: &mut Vec<Event>) {
        let Some(mut emitted) = self.emitted.remove(key) else {
            return;
        };
        emitted.totals.released = emitted.totals.acquired;
        emitted.totals.bytes_held = 0;
        let mut push = |body| events.push(Event { time, body });
        push(Body::AccountSampled(emitted.totals));
        let pid = key.0;
        if self.alone && pid.0 != 0 && !self.proc.join(pid.0.to_string()).exists() {
            push(Body::ProcessExited(ProcessExited {
                pid,
                ..ProcessExited::default()
            }));
        }
        push(Body::AccountClosed(emitted.totals.account));
    }
}

/// The command name for pins whose holder is unknown.
pub const NOBODY: &str = "(nobody)";

/// Returns the process for pins whose holder is unknown.
pub fn nobody() -> ProcessSeen {
    ProcessSeen {
        comm: NOBODY.to_owned(),
        ..ProcessSeen::default()
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
