//! Tests of the events of scan results.

use pintrace_events::Evidence;
use pintrace_scan::join::Amount;
use pintrace_scan::open_files::{Opener, Place};
use pintrace_scan::scan_result::{PinHolder, ScanProcess};

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
