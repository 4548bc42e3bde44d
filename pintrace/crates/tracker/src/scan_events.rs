//! Turns scan results into events. Each process with pins has an account for each likely subsystem: opened at the first
//! scan that finds pins, sampled at each change, and closed when a scan finds no pins.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pintrace_events::units::{AccountId, Nanos, Pid, Tid};
use pintrace_events::{AccountOpened, AccountSampled, Body, Event, ProcessExited, ProcessSeen, ScanSampled};
use pintrace_scan::scan_result::{ScanHolder, ScanResult};

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
    /// The subsystem that the descriptors of the process point at; empty if unknown.
    pub likely_subsystem: String,
    /// Number of pinned pages.
    pub pages: u64,
    /// Bytes that the pins keep in place.
    pub bytes: u64,
}

/// The accounts of scan results as last emitted.
pub struct ScanEvents {
    proc: PathBuf,
    emitted: BTreeMap<(Pid, String), EmittedHolder>,
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
        let holders = result.holders.iter().map(|holder| HolderSample {
            process: holder.process.clone(),
            likely_subsystem: likely_subsystem(holder),
            pages: holder.pages(),
            bytes: holder.counted.bytes,
        });
        let unmapped_pins = HolderSample {
            process: nobody(),
            likely_subsystem: String::new(),
            pages: result.unmapped_pins.pages(),
            bytes: result.unmapped_pins.unmapped.bytes,
        };
        let mut events = self.emit(time, holders.chain([unmapped_pins]));
        events.push(Event {
            time,
            body: Body::ScanSampled(state(result)),
        });
        events
    }

    /// Returns the events of changed accounts. An account without a sample is closed.
    pub fn emit(&mut self, time: Nanos, samples: impl IntoIterator<Item = HolderSample>) -> Vec<Event> {
        let mut events = Vec::new();
        let holding: BTreeMap<(Pid, String), HolderSample> = samples
            .into_iter()
            .filter(|sample| sample.pages != 0)
            .map(|sample| ((sample.process.pid, sample.likely_subsystem.clone()), sample))
            .collect();
        let gone: Vec<_> = self
            .emitted
            .keys()
            .filter(|key| !holding.contains_key(*key))
            .cloned()
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
        key: &(Pid, String),
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
                likely_subsystem: key.1.clone(),
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
                key.clone(),
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
    fn close(&mut self, time: Nanos, key: &(Pid, String), events: &mut Vec<Event>) {
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

/// The command name for the holder of pinned pages that no process maps.
pub const NOBODY: &str = "(nobody)";

/// Returns the holder of pinned pages that no process maps.
pub fn nobody() -> ProcessSeen {
    ProcessSeen {
        comm: NOBODY.to_owned(),
        ..ProcessSeen::default()
    }
}

/// Returns the subsystem that the descriptors of a process point at; empty if the descriptors point at several or at no
/// subsystem.
pub fn likely_subsystem(holder: &ScanHolder) -> String {
    let mut kinds = holder
        .descriptors
        .iter()
        .map(|descriptor| descriptor.kind.as_str());
    match kinds.next() {
        Some(first) if kinds.all(|kind| kind == first) => first.to_owned(),
        _ => String::new(),
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
        unmapped_pages: result.unmapped_pins.pages(),
        implausible: result.implausible_count,
        refused: unreadable.refused,
        unread: unreadable.address_pages + unreadable.descriptors,
    }
}
