//! Tells what looks at memory show as events: each process that holds pins as an account of its own, opened when it is
//! first seen with pins, sampled when that changes, closed when it is gone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pintrace_events::units::{AccountId, Nanos, Pid, Tid};
use pintrace_events::{AccountOpened, AccountSampled, Body, Event, ProcessExited, ProcessSeen, StateSampled};
use pintrace_scan::look::{Holder, Look};

/// A process as it was last told.
struct Told {
    seen: ProcessSeen,
    totals: AccountSampled,
}

/// Who holds pins, and how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// Who.
    pub process: ProcessSeen,
    /// The subsystem that its descriptors point at; empty if they do not.
    pub suspect: String,
    /// Pins.
    pub pages: u64,
    /// Bytes that they keep in place.
    pub bytes: u64,
}

/// What has been told so far.
pub struct Sightings {
    proc: PathBuf,
    told: BTreeMap<(Pid, String), Told>,
    next: u32,
    /// Nobody else tells that processes end.
    alone: bool,
}

impl Sightings {
    /// Nothing told yet. `alone` if nobody else tells who there is; its accounts are numbered from `first` on.
    pub fn new(proc: PathBuf, first: AccountId, alone: bool) -> Self {
        Self {
            alone,
            proc,
            told: BTreeMap::new(),
            next: first.0,
        }
    }

    /// Tells a look.
    pub fn tell_look(&mut self, time: Nanos, look: &Look) -> Vec<Event> {
        let holders = look.holders.iter().map(|holder| Sighting {
            process: holder.process.clone(),
            suspect: suspect(holder),
            pages: holder.pages(),
            bytes: holder.counted.bytes,
        });
        let orphans = Sighting {
            process: nobody(),
            suspect: String::new(),
            pages: look.orphans.pages(),
            bytes: look.orphans.unmapped.bytes,
        };
        let mut events = self.tell(time, holders.chain([orphans]));
        events.push(Event {
            time,
            body: Body::StateSampled(state(look)),
        });
        events
    }

    /// Tells who holds now; whoever is not named holds nothing any more.
    pub fn tell(&mut self, time: Nanos, sightings: impl IntoIterator<Item = Sighting>) -> Vec<Event> {
        let mut events = Vec::new();
        let holding: BTreeMap<(Pid, String), Sighting> = sightings
            .into_iter()
            .filter(|sighting| sighting.pages != 0)
            .map(|sighting| ((sighting.process.pid, sighting.suspect.clone()), sighting))
            .collect();
        let gone: Vec<_> = self
            .told
            .keys()
            .filter(|key| !holding.contains_key(*key))
            .cloned()
            .collect();
        for key in gone {
            self.close(time, &key, &mut events);
        }
        for (key, sighting) in holding {
            let body = self.sample(time, &key, sighting, &mut events);
            events.extend(body.map(|body| Event { time, body }));
        }
        events
    }

    /// Pages that were last told.
    pub fn pages(&self) -> u64 {
        self.told
            .values()
            .map(|told| told.totals.acquired - told.totals.released)
            .sum()
    }

    /// Opens the account if there is none yet; gives its totals if they changed.
    fn sample(
        &mut self,
        time: Nanos,
        key: &(Pid, String),
        sighting: Sighting,
        events: &mut Vec<Event>,
    ) -> Option<Body> {
        let Sighting {
            process,
            pages,
            bytes,
            ..
        } = sighting;
        // The same number, and somebody else.
        if self
            .told
            .get(key)
            .is_some_and(|told| told.seen.comm != process.comm)
        {
            self.close(time, key, events);
        }
        if !self.told.contains_key(key) {
            let account = AccountId(self.next);
            self.next += 1;
            let opened = AccountOpened {
                account,
                pid: key.0,
                tid: Tid(key.0.0),
                comm: process.comm.clone(),
                from_state: true,
                suspect: key.1.clone(),
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
            self.told.insert(
                key.clone(),
                Told {
                    seen: process,
                    totals,
                },
            );
        }
        let told = self.told.get_mut(key)?;
        let held = told.totals.acquired - told.totals.released;
        if held == pages && told.totals.bytes_held == bytes {
            return None;
        }
        told.totals.acquired += pages.saturating_sub(held);
        told.totals.released += held.saturating_sub(pages);
        told.totals.bytes_held = bytes;
        Some(Body::AccountSampled(told.totals))
    }

    /// It holds nothing any more; whether it has ended, /proc tells.
    fn close(&mut self, time: Nanos, key: &(Pid, String), events: &mut Vec<Event>) {
        let Some(mut told) = self.told.remove(key) else {
            return;
        };
        told.totals.released = told.totals.acquired;
        told.totals.bytes_held = 0;
        let mut push = |body| events.push(Event { time, body });
        push(Body::AccountSampled(told.totals));
        let pid = key.0;
        if self.alone && pid.0 != 0 && !self.proc.join(pid.0.to_string()).exists() {
            push(Body::ProcessExited(ProcessExited {
                pid,
                ..ProcessExited::default()
            }));
        }
        push(Body::AccountClosed(told.totals.account));
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
pub fn suspect(holder: &Holder) -> String {
    let mut kinds = holder
        .descriptors
        .iter()
        .map(|descriptor| descriptor.kind.as_str());
    match kinds.next() {
        Some(first) if kinds.all(|kind| kind == first) => first.to_owned(),
        _ => String::new(),
    }
}

fn state(look: &Look) -> StateSampled {
    let unseen = &look.unseen;
    StateSampled {
        ram_pages: look.memory.ram_pages,
        free_pages: look.memory.free,
        read_ns: look.memory.read_ns,
        took_ns: look.memory.took_ns,
        folios: look.pinned.folios,
        pages: look.pinned.pages,
        bytes: look.pinned.bytes,
        orphan_pages: look.orphans.pages(),
        doubtful: look.doubtful_count,
        refused: unseen.refused,
        unread: unseen.address_pages + unseen.descriptors,
    }
}
