//! Turns scan results into events. Each process with pins has an account for each subsystem, kind of evidence and open file:
//! opened at the first scan that finds pins, sampled at each change, and closed when a scan finds no pins.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pintrace_events::units::{AccountId, Nanos, Pid, Tid};
use pintrace_events::{
    AccountOpened, AccountSampled, Body, Event, Evidence, FileId, ProcessExited, ProcessSeen, ScanSampled,
};
use pintrace_scan::scan_result::{PinHolder, ScanResult};

use super::preexisting_file::{FileNumbers, PreexistingFile};
use super::start_time;

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
        let holders: BTreeSet<Pid> = holding.keys().map(|key| key.0).collect();
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
        let keys: Vec<_> = self.emitted.keys().filter(|key| key.0 == pid).copied().collect();
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
            if self.alone && key.0.0 != 0 {
                let started = || start_time::of(&self.proc, key.0.0);
                self.running.entry(key.0).or_insert_with(started);
            }
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
    use super::start_time::tests::write;
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

    /// A folder of /proc with process 7.
    fn proc_with_process() -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        write(proc.path(), 7, "S", 1, 100);
        proc
    }

    fn end_process(proc: &tempfile::TempDir) {
        std::fs::remove_dir_all(proc.path().join("7")).unwrap();
    }

    /// Returns the pids of the ends among the events.
    fn exits(events: &[Event]) -> Vec<u32> {
        let exits = events.iter().filter_map(|event| match &event.body {
            Body::ProcessExited(exited) => Some(exited.pid.0),
            _ => None,
        });
        exits.collect()
    }

    #[test]
    fn the_end_of_a_process_with_two_open_files_is_emitted_once() {
        let proc = proc_with_process();
        let mut scans = ScanEvents::new(proc.path().to_owned(), AccountId(0), true);
        assert_eq!(exits(&scans.emit_scan(Nanos(1), &result(2))), []);
        end_process(&proc);
        assert_eq!(exits(&scans.emit_scan(Nanos(2), &result(0))), [7]);
        assert_eq!(exits(&scans.emit_scan(Nanos(3), &result(0))), []);
    }

    #[test]
    fn the_end_of_a_process_is_emitted_also_if_the_process_held_nothing_any_more() {
        let proc = proc_with_process();
        let mut scans = ScanEvents::new(proc.path().to_owned(), AccountId(0), true);
        scans.emit_scan(Nanos(1), &result(1));
        assert_eq!(exits(&scans.emit_scan(Nanos(2), &result(0))), []);
        end_process(&proc);
        assert_eq!(exits(&scans.emit_scan(Nanos(3), &result(0))), [7]);
    }

    #[test]
    fn a_process_that_ended_right_after_the_scan_ends_at_the_next_scan() {
        let proc = tempfile::tempdir().unwrap();
        let mut scans = ScanEvents::new(proc.path().to_owned(), AccountId(0), true);
        assert_eq!(exits(&scans.emit_scan(Nanos(1), &result(1))), []);
        assert_eq!(exits(&scans.emit_scan(Nanos(2), &result(0))), [7]);
    }

    #[test]
    fn a_process_with_the_pid_of_an_ended_process_is_emitted_after_the_end() {
        let proc = proc_with_process();
        let mut scans = ScanEvents::new(proc.path().to_owned(), AccountId(0), true);
        scans.emit_scan(Nanos(1), &result(1));
        write(proc.path(), 7, "S", 1, 200);
        // The new process has the same name, descriptor and file.
        let events = scans.emit_scan(Nanos(2), &result(1));
        let order: Vec<_> = events
            .iter()
            .filter_map(|event| match &event.body {
                Body::AccountClosed(_) => Some("closed"),
                Body::ProcessExited(_) => Some("exited"),
                Body::ProcessSeen(_) => Some("seen"),
                Body::AccountOpened(_) => Some("opened"),
                _ => None,
            })
            .collect();
        assert_eq!(order, ["closed", "exited", "seen", "opened"]);
        assert_eq!(exits(&scans.emit_scan(Nanos(3), &result(1))), []);
    }

    #[test]
    fn beside_a_trace_the_hooks_report_the_end() {
        let proc = proc_with_process();
        let mut scans = ScanEvents::new(proc.path().to_owned(), AccountId(0), false);
        scans.emit_scan(Nanos(1), &result(1));
        end_process(&proc);
        assert_eq!(exits(&scans.emit_scan(Nanos(2), &result(0))), []);
        assert_eq!(scans.pages(), 0);
    }
}
