//! Turns scan results into events. Each process with pins has an account for each subsystem, kind of evidence and open file:
//! opened at the first scan that finds pins, sampled at each change, and closed when a scan finds no pins.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pintrace_events::units::{AccountId, Nanos, Pid, Tid};
use pintrace_events::{
    AccountOpened, AccountSampled, Body, Event, Evidence, FileId, ProcessExited, ProcessSeen, ScanSampled,
};
use pintrace_scan::scan_result::{PinHolder, ScanResult};

use super::preexisting_file::{FileNumbers, PreexistingFile};

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
    /// The open file whose table names the pages; 0 if there is none, or if there are several.
    pub file: FileId,
    /// The descriptor of the file in the process, if it has one.
    pub descriptor: Option<u32>,
}

/// Identity of an account: process, subsystem, evidence, open file and descriptor.
type HolderKey = (Pid, &'static str, Option<Evidence>, FileId, Option<u32>);

impl HolderSample {
    /// Returns the pins of a holder that a scan found.
    fn of(process: &ProcessSeen, holder: &PinHolder, file: PreexistingFile) -> Self {
        Self {
            process: process.clone(),
            likely_subsystem: holder.subsystem,
            evidence: Some(holder.evidence),
            pages: holder.amount.pages,
            bytes: holder.amount.bytes,
            file: file.file,
            descriptor: file.descriptor,
        }
    }

    fn key(&self) -> HolderKey {
        let Self { file, descriptor, .. } = *self;
        (
            self.process.pid,
            self.likely_subsystem,
            self.evidence,
            file,
            descriptor,
        )
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
                file: key.3,
                descriptor: key.4,
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

#[cfg(test)]
mod tests {
    use pintrace_scan::join::Amount;
    use pintrace_scan::open_files::{Opener, Place};
    use pintrace_scan::scan_result::ScanProcess;

    use super::super::preexisting_file::MOST_FILES;
    use super::*;

    /// A process whose open files hold a page each, on the descriptors from 3 on.
    fn result(files: u32) -> ScanResult {
        let holder = |file: u32| PinHolder {
            evidence: Evidence::KernelTable,
            subsystem: "io_uring",
            amount: Amount {
                pages: 1,
                ..Amount::default()
            },
            runs: Vec::new(),
            files: vec![0xffff_8880_0000_0000 + u64::from(file)],
            openers: [1, 7].map(|pid| opener(pid, file)).to_vec(),
            addresses: Vec::new(),
            private_copies: Vec::new(),
        };
        ScanResult {
            processes: vec![ScanProcess {
                process: ProcessSeen {
                    pid: Pid(7),
                    comm: "rings".to_owned(),
                    ..ProcessSeen::default()
                },
                holders: (0..files).map(holder).collect(),
                ..ScanProcess::default()
            }],
            ..ScanResult::default()
        }
    }

    fn opener(pid: u32, file: u32) -> Opener {
        Opener {
            pid,
            place: Place::Descriptor(if pid == 7 { 3 + file } else { 0 }),
        }
    }

    fn opened(events: &[Event]) -> Vec<&AccountOpened> {
        let opened = events.iter().filter_map(|event| match &event.body {
            Body::AccountOpened(opened) => Some(opened),
            _ => None,
        });
        opened.collect()
    }

    #[test]
    fn each_open_file_has_an_account_with_the_descriptor_of_the_holder() {
        let mut scans = ScanEvents::new("/proc".into(), AccountId(0), true);
        let events = scans.emit_scan(Nanos(1), &result(2));
        let accounts: Vec<_> = opened(&events)
            .iter()
            .map(|opened| (opened.file.0 & 0xff, opened.descriptor))
            .collect();
        assert_eq!(accounts, [(0, Some(3)), (1, Some(4))]);
        assert_eq!(scans.pages(), 2);
        // A closed file closes its account.
        scans.emit_scan(Nanos(2), &result(1));
        assert_eq!(scans.pages(), 1);
    }

    #[test]
    fn the_files_beyond_the_limit_have_one_account() {
        let mut scans = ScanEvents::new("/proc".into(), AccountId(0), true);
        let events = scans.emit_scan(Nanos(1), &result(MOST_FILES + 9));
        let accounts = opened(&events);
        assert_eq!(accounts.len(), MOST_FILES as usize + 1);
        let shared: Vec<_> = accounts.iter().filter(|opened| opened.file.is_none()).collect();
        assert_eq!((shared.len(), shared[0].descriptor), (1, None));
        assert_eq!(scans.pages(), u64::from(MOST_FILES) + 9);
    }
}
