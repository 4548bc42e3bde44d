//! Claims about versions: what older ones wrote stays readable, what a newer one wrote is refused with a remedy.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::compat::{CURRENT, OLDEST, Readability, verdict};
use crate::format::{FILE_HEADER_BYTES, FileHeader};
use crate::{ReadError, Reader};
use pintrace_events::{Body, Event};
use pintrace_testing::event_builder::{EventBuilder, finding_fixtures, fio_and_others};

use super::{read, written};

/// The version that brought a kind of event. One without an arm is new: raise [`CURRENT`], and say there what it brought.
const fn since(body: &Body) -> u16 {
    match body {
        Body::Started(_)
        | Body::ProcessSeen(_)
        | Body::ProcessExited(_)
        | Body::AccountOpened(_)
        | Body::AccountSampled(_)
        | Body::AccountClosed(_)
        | Body::ExtentOpened(_)
        | Body::ExtentSampled(_)
        | Body::ExtentClosed(_)
        | Body::StackSeen(_)
        | Body::SymbolSeen(_)
        | Body::BalanceSampled(_)
        | Body::LossSampled(_)
        | Body::ScanSampled(_)
        | Body::Tick
        | Body::Stopped(_) => 1,
        Body::ExtentPartiallyReleased(_)
        | Body::MappingChanged(_)
        | Body::MmExited(_)
        | Body::AddressSpaceFreed(_)
        | Body::CowSampled(_)
        | Body::WindowsSampled(_)
        | Body::FlushCheckSampled(_) => 2,
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures")
        .join(name)
}

/// The version in the head of a file.
fn version(bytes: &[u8]) -> u16 {
    let head: [u8; FILE_HEADER_BYTES] = bytes[..FILE_HEADER_BYTES].try_into().unwrap();
    FileHeader::decode(&head).unwrap().version
}

/// That a file of some version gives the events of a story, and has something that only this version has.
fn still_opens(name: &str, of: u16, builder: &EventBuilder) {
    let bytes = fs::read(fixture(name)).unwrap();
    assert_eq!(version(&bytes), of);
    let (events, complete, failure) = read(&bytes);
    assert!(complete && failure.is_none(), "{name}: {failure:?}");
    assert_eq!(events, builder.events, "{name}");
    let newest = events.iter().map(|event| since(&event.body)).max();
    assert_eq!(newest, Some(of), "{name}");
}

/// Readable as long as [`OLDEST`] says so, and never written anew.
#[test]
fn the_recording_of_version_1_still_opens() {
    still_opens("fio-1.pintrace", 1, &fio_and_others());
}

/// `BLESS=1 cargo test` writes it anew, which is only right while no version has been released.
#[test]
fn the_recording_of_version_2_still_opens() {
    if std::env::var_os("BLESS").is_some() {
        fs::write(fixture("mishaps-2.pintrace"), written(&finding_fixtures().events)).unwrap();
    }
    still_opens("mishaps-2.pintrace", 2, &finding_fixtures());
}

#[test]
fn every_version_that_is_read_has_a_file() {
    let names = fs::read_dir(fixture("")).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.ends_with(".pintrace").then_some(name)
    });
    let versions: BTreeSet<u16> = names
        .map(|name| version(&fs::read(fixture(&name)).unwrap()))
        .collect();
    assert_eq!(versions, (OLDEST..=CURRENT).collect());
}

#[test]
fn what_is_written_says_the_current_version() {
    let quiet = Event {
        time: pintrace_events::units::Nanos(1),
        body: Body::Tick,
    };
    assert_eq!(version(&written(&[quiet])), CURRENT);
    assert_eq!(version(&written(&finding_fixtures().events)), CURRENT);
}

#[test]
fn a_newer_version_is_refused_with_a_remedy_before_any_event_is_read() {
    assert_eq!(verdict(CURRENT), Readability::Readable);
    assert_eq!(verdict(CURRENT + 1), Readability::TooNew);
    let mut bytes = written(&finding_fixtures().events);
    let head = FileHeader { version: CURRENT + 1 }.encode();
    bytes[..FILE_HEADER_BYTES].copy_from_slice(&head);
    let Err(error) = Reader::new(bytes.as_slice()) else {
        panic!("a newer version was opened");
    };
    assert!(matches!(error, ReadError::TooNew(version) if version == CURRENT + 1));
    let expected = format!(
        "a recording of format {}, and this pintrace reads up to format {CURRENT}: use a newer pintrace",
        CURRENT + 1
    );
    assert_eq!(error.to_string(), expected);
}
