//! Tells what looks at memory show as events: each process that holds pins as an account of its own, opened when it is
//! first seen with pins, sampled when that changes, closed when it is gone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::event::{
    AccountOpened, AccountSampled, Body, Event, ProcessExited, ProcessSeen, StateSampled,
};
use crate::scan::look::{Holder, Look};
use crate::units::{AccountId, Nanos, Pid, Tid};

/// A process as it was last told.
struct Told {
    seen: ProcessSeen,
    totals: AccountSampled,
}

/// What has been told so far.
pub struct Sightings {
    proc: PathBuf,
    told: BTreeMap<(Pid, String), Told>,
    next: u32,
}

impl Sightings {
    /// Nothing told yet.
    pub fn new(proc: PathBuf) -> Self {
        Self {
            proc,
            told: BTreeMap::new(),
            next: 1,
        }
    }

    /// Tells a look.
    pub fn tell(&mut self, time: Nanos, look: &Look) -> Vec<Event> {
        let mut events = Vec::new();
        let mut holding: BTreeMap<(Pid, String), (ProcessSeen, u64, u64)> = BTreeMap::new();
        for holder in &look.holders {
            if holder.pages() != 0 {
                let key = (holder.process.pid, suspect(holder));
                holding.insert(key, (holder.process.clone(), holder.pages(), holder.counted.bytes));
            }
        }
        if look.orphans.pages() != 0 {
            let nobody = ProcessSeen {
                comm: NOBODY.to_owned(),
                ..ProcessSeen::default()
            };
            let key = (Pid(0), String::new());
            holding.insert(key, (nobody, look.orphans.pages(), look.orphans.unmapped.bytes));
        }
        let gone: Vec<_> = self.told.keys().filter(|key| !holding.contains_key(*key)).cloned().collect();
        for key in gone {
            self.close(time, &key, &mut events);
        }
        for (key, (process, pages, bytes)) in holding {
            let body = self.sample(time, key, process, pages, bytes, &mut events);
            events.extend(body.map(|body| Event { time, body }));
        }
        events.push(Event {
            time,
            body: Body::StateSampled(state(look)),
        });
        events
    }

    /// Opens the account if there is none yet; gives its totals if they changed.
    fn sample(
        &mut self,
        time: Nanos,
        key: (Pid, String),
        process: ProcessSeen,
        pages: u64,
        bytes: u64,
        events: &mut Vec<Event>,
    ) -> Option<Body> {
        // The same number, and somebody else.
        if self.told.get(&key).is_some_and(|told| told.seen.comm != process.comm) {
            self.close(time, &key, events);
        }
        if !self.told.contains_key(&key) {
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
            self.told.insert(key.clone(), Told { seen: process, totals });
        }
        let told = self.told.get_mut(&key)?;
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
        if pid.0 != 0 && !self.proc.join(pid.0.to_string()).exists() {
            push(Body::ProcessExited(ProcessExited {
                pid,
                ..ProcessExited::default()
            }));
        }
        push(Body::AccountClosed(told.totals.account));
    }
}

/// In place of a command, for pages that nobody maps.
const NOBODY: &str = "(nobody maps them)";

/// The subsystem that a process's descriptors point at, if they all point at one.
fn suspect(holder: &Holder) -> String {
    let mut kinds = holder.descriptors.iter().map(|descriptor| descriptor.kind.as_str());
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
