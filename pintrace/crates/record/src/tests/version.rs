//! Tests of the versions of the format.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pintrace_events::{Body, Event};
use pintrace_testing::event_builder::{finding_fixtures, fio_and_others};
use pintrace_testing::expected_file::is_updating;

use super::{read, tick, written};
use crate::format::{FILE_HEADER_BYTES, FileHeader, VERSION};
use crate::{ReadError, Reader};

/// A recording of the current format with [`events`]. `INSTA_UPDATE=always cargo test -p pintrace-record` rewrites the
/// file. A rewrite needs a new [`VERSION`] once a release has written this version.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format-3.pintrace");

/// The number of kinds of events.
const KINDS: usize = 31;

/// A number for each kind of event. A new kind needs a new [`VERSION`] and an entry in [`events`].
const fn kind(body: &Body) -> usize {
    match body {
        Body::Started(_) => 0,
        Body::ProcessSeen(_) => 1,
        Body::ProcessExited(_) => 2,
        Body::AccountOpened(_) => 3,
        Body::AccountSampled(_) => 4,
        Body::AccountClosed(_) => 5,
        Body::ExtentOpened(_) => 6,
        Body::ExtentSampled(_) => 7,
        Body::ExtentClosed(_) => 8,
        Body::ExtentMarked(_) => 9,
        Body::StackSeen(_) => 10,
        Body::SymbolSeen(_) => 11,
        Body::BalanceSampled(_) => 12,
        Body::LossSampled(_) => 13,
        Body::ScanSampled(_) => 14,
        Body::MappingChanged(_) => 15,
        Body::MmExited(_) => 16,
        Body::AddressSpaceFreed(_) => 17,
        Body::CowSampled(_) => 18,
        Body::WindowsSampled(_) => 19,
        Body::FlushCheckSampled(_) => 20,
        Body::Tick => 21,
        Body::Stopped(_) => 22,
        Body::ProcessExeced(_) => 23,
        Body::FileReleased(_) => 24,
        Body::ChangesSuppressed(_) => 25,
        Body::FindingHooksAttached(_) => 26,
        Body::DetailShed(_) => 27,
        Body::PinCallsSampled(_) => 28,
        Body::CallsInFlight(_) => 29,
        Body::RegistrationFailed(_) => 30,
    }
}

/// Returns events of every kind.
fn events() -> Vec<Event> {
    fn any<T: Default>() -> T {
        T::default()
    }
    let others = [
        Body::ExtentSampled(any()),
        Body::ExtentMarked(any()),
        Body::ScanSampled(any()),
        Body::AddressSpaceFreed(any()),
        Body::ProcessExeced(any()),
        Body::FileReleased(any()),
        Body::ChangesSuppressed(any()),
        Body::FindingHooksAttached(any()),
        Body::DetailShed(any()),
        Body::PinCallsSampled(any()),
        Body::CallsInFlight(pintrace_events::CallsInFlight {
            calls: vec![any()],
            number: 1,
        }),
        Body::RegistrationFailed(any()),
    ];
    let mut events = others.map(|body| Event { body, ..tick(1) }).to_vec();
    events.extend(fio_and_others().events);
    events.extend(finding_fixtures().events);
    events
}

/// Returns the version in the header of a file.
fn version(bytes: &[u8]) -> u16 {
    let header: [u8; FILE_HEADER_BYTES] = bytes[..FILE_HEADER_BYTES].try_into().unwrap();
    FileHeader::decode(&header).unwrap().version
}

/// Returns the error for a recording with this version in its header.
fn refusal(version: u16) -> ReadError {
    let mut bytes = written(&events());
    bytes[..FILE_HEADER_BYTES].copy_from_slice(&FileHeader { version }.encode());
    Reader::new(bytes.as_slice()).err().unwrap()
}

#[test]
fn the_committed_recording_is_read_back() {
    let path = Path::new(FIXTURE);
    if is_updating() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, written(&events())).unwrap();
    }
    let bytes = fs::read(path).unwrap();
    assert_eq!(version(&bytes), VERSION);
    let (read, complete, failure) = read(&bytes);
    assert!(complete && failure.is_none(), "{failure:?}");
    assert_eq!(read, events());
}

#[test]
fn the_committed_recording_has_every_kind_of_event() {
    let kinds: BTreeSet<_> = events().iter().map(|event| kind(&event.body)).collect();
    assert_eq!(kinds, (0..KINDS).collect());
}

#[test]
fn a_writer_writes_the_current_version() {
    assert_eq!(version(&written(&[tick(1)])), VERSION);
}

#[test]
fn an_older_version_is_refused_with_a_remedy() {
    for older in [1, 2] {
        let error = refusal(older);
        assert!(matches!(error, ReadError::TooOld(version) if version == older));
        let message = "is not supported by this version, which reads format 3: record it again";
        assert_eq!(error.to_string(), format!("recording format {older} {message}"));
    }
}

#[test]
fn a_newer_version_is_refused_with_a_remedy() {
    let error = refusal(VERSION + 1);
    assert!(matches!(error, ReadError::TooNew(version) if version == VERSION + 1));
    assert_eq!(
        error.to_string(),
        "recording format 4 is not supported by this version, which reads format 3: use a newer pintrace"
    );
}
