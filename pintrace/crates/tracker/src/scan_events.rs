//! Tells what looks at memory show as events: each process that holds pins as an account of its own, opened when it is
//! first seen with pins, sampled when that changes, closed when it is gone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pintrace_events::units::{AccountId, Nanos, Pid, Tid};
use pintrace_events::{AccountOpened, AccountSampled, Body, Event, ProcessExited, ProcessSeen, ScanSampled};
use pintrace_scan::scan_result::{ScanHolder, ScanResult};

/// A process as it was last told.
struct EmittedHolder {
    seen: ProcessSeen,
    totals: AccountSampled,
}

/// Who holds pins, and how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HolderSample {
    /// Who.
    pub process: ProcessSeen,
    /// The subsystem that its descriptors point at; empty if they do not.
    pub likely_subsystem: String,
    /// Pins.
    pub pages: u64,
    /// Bytes that they keep in place.
    pub bytes: u64,
}

/// What has been told so far.
pub struct ScanEvents {
    proc: PathBuf,
    emitted: BTreeMap<(Pid, String), EmittedHolder>,
    next: u32,
    /// Nobody else tells that processes end.
    alone: bool,
}

impl ScanEvents {
    /// Nothing told yet. `alone` if nobody else tells who there is; its accounts are numbered from `first` on.
    pub fn new(proc: PathBuf, first: AccountId, alone: bool) -> Self {
        Self {
            alone,
            proc,
            emitted: BTreeMap::new(),
            next: first.0,
        }
    }

    /// Tells a look.
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

    /// Tells who holds now; whoever is not named holds nothing any more.
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

    /// Pages that were last told.
    pub fn pages(&self) -> u64 {
        self.emitted
            .values()
            .map(|emitted| emitted.totals.acquired - emitted.totals.released)
            .sum()
    }

    /// Opens the account if there is none yet; gives its totals if they changed.
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
        // The same number, and somebody else.
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

    /// It holds nothing any more; whether it has ended, /proc tells.
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

/// In place of a command, for pages that nobody maps.
pub const NOBODY: &str = "(nobody)";

/// Who holds pages that nobody maps.
pub fn nobody() -> ProcessSeen {
    ProcessSeen {
        comm: NOBODY.to_owned(),
        ..ProcessSeen::default()
    }
}

/// The subsystem that a process's descriptors point at, if they all point at one.
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
