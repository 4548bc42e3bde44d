//! Tests of the log of a session and its files.

use std::fs;

use pintrace_events::units::Nanos;
use pintrace_events::{Body, Event, Stopped};
use pintrace_testing::event_builder::fio_and_others;

use super::{read, tick};
use crate::{EventLog, LogError, WriteError};

const LIMIT: usize = 1 << 20;

fn stopped() -> Event {
    Event {
        time: Nanos(9),
        body: Body::Stopped(Stopped::default()),
    }
}

#[test]
fn a_file_has_the_events_from_the_start_of_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let mut events = fio_and_others().events;
    events.retain(|event| !matches!(event.body, Body::Stopped(_)));
    let (before, after) = events.split_at(events.len() / 2);
    let mut log = EventLog::new(LIMIT).unwrap();
    for event in before {
        log.append(event);
    }
    log.record(&first).unwrap();
    for event in after {
        log.append(event);
    }
    let file = log.stop(&stopped()).unwrap();
    assert_eq!(file.path, first);
    assert_eq!(file.bytes, fs::metadata(&first).unwrap().len());
    let mut all = events.clone();
    all.push(stopped());
    assert_eq!(read(&fs::read(&first).unwrap()).0, all);
    // The end of a file is no event of the session.
    log.append(&tick(10));
    log.record(&second).unwrap();
    log.append(&tick(11));
    log.finish().unwrap();
    events.extend([tick(10), tick(11)]);
    assert_eq!(read(&fs::read(&second).unwrap()).0, events);
    assert!(matches!(log.finish(), Err(LogError::Idle)));
}

#[test]
fn a_log_beyond_its_limit_begins_no_file_and_ends_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("begun");
    let mut log = EventLog::new(200).unwrap();
    log.append(&tick(1));
    log.record(&path).unwrap();
    (2..100).for_each(|time| log.append(&tick(time)));
    log.stop(&stopped()).unwrap();
    assert_eq!(read(&fs::read(&path).unwrap()).0.len(), 100);
    let late = log.record(&folder.path().join("late"));
    assert!(matches!(late, Err(LogError::Overflow { limit: 200 })));
    assert!(!folder.path().join("late").exists());
}

#[test]
fn a_file_that_exists_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thesis.txt");
    fs::write(&path, "three years of work").unwrap();
    let mut log = EventLog::new(LIMIT).unwrap();
    log.append(&tick(1));
    let refused = log.record(&path);
    assert!(matches!(refused, Err(LogError::Create { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"three years of work");
}

#[test]
fn only_the_owner_can_read_a_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let mut log = EventLog::new(LIMIT).unwrap();
    log.record(&path).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_full_disk_ends_the_file_and_not_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let [full, later] = ["full", "later"].map(|name| folder.path().join(name));
    let mut log = EventLog::new(LIMIT).unwrap();
    log.record(&full).unwrap();
    log.fill_disk();
    log.append(&tick(1));
    let failure = log.take_failure();
    assert!(matches!(failure, Some(WriteError::Output { .. })), "{failure:?}");
    assert_eq!(log.file(), None);
    log.record(&later).unwrap();
    log.finish().unwrap();
    assert_eq!(read(&fs::read(&later).unwrap()).0, [tick(1)]);
}
