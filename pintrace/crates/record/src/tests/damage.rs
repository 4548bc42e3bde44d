//! Tests of input that is no recording, or is damaged or forged.

use std::io;

use pintrace_testing::event_builder::fio_and_others;

use super::{framed, read, tick, written};
use crate::format::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader, FrameHeader};
use crate::{ReadError, Reader};

/// Returns the part that a reader finds damaged.
fn damage(bytes: &[u8]) -> &'static str {
    match read(bytes) {
        (_, _, Some(ReadError::Damaged { what, .. })) => what,
        other => panic!("no damage found: {other:?}"),
    }
}

#[test]
fn an_empty_foreign_older_or_newer_file_is_refused() {
    assert!(matches!(read(b"").2, Some(ReadError::Empty)));
    assert!(matches!(read(b"\x89PIN").2, Some(ReadError::Empty)));
    assert!(matches!(read(b"\x7fELF").2, Some(ReadError::NotARecording)));
    assert!(matches!(read(&[b'x'; 4096]).2, Some(ReadError::NotARecording)));
    let newer = FileHeader { version: 999 }.encode();
    assert!(matches!(read(&newer).2, Some(ReadError::TooNew(999))));
    let older = FileHeader { version: 0 }.encode();
    assert!(matches!(read(&older).2, Some(ReadError::TooOld(0))));
}

#[test]
fn a_file_lengthened_by_a_crash_is_cut_short_not_damaged() {
    let mut bytes = written(&fio_and_others().events);
    bytes.extend([0; 10_000]);
    let (events, _, failure) = read(&bytes);
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(events.len(), fio_and_others().events.len());
    bytes.push(1);
    assert_eq!(damage(&bytes), "the checksum of the frame header");
}

#[test]
fn damage_is_reported_with_its_offset_and_the_events_before() {
    let bytes = written(&fio_and_others().events);
    let first = FILE_HEADER_BYTES + FRAME_HEADER_BYTES;
    let head: [u8; FRAME_HEADER_BYTES] = bytes[FILE_HEADER_BYTES..first].try_into().unwrap();
    let header = FrameHeader::decode(&head).unwrap();
    let second = first + usize::try_from(header.payload_bytes).unwrap();
    let mut flipped = bytes.clone();
    flipped[second + FRAME_HEADER_BYTES + 3] ^= 4;
    let (events, _, failure) = read(&flipped);
    assert_eq!(events.len(), usize::try_from(header.events).unwrap());
    let message = failure.unwrap().to_string();
    assert!(
        message.starts_with(&format!("damaged in frame 1 at byte {second} ")),
        "{message}"
    );
    assert!(
        message.contains(&format!("after {} events that can be read", header.events)),
        "{message}"
    );
}

#[test]
fn forged_frames_are_refused_in_bounded_memory() {
    let event = rmp_serde::to_vec_named(&tick(1)).unwrap();
    assert_eq!(
        damage(&framed(&event, 2, |_| ())),
        "an event that this version does not understand"
    );
    assert_eq!(damage(&framed(&event, 0, |_| ())), "more bytes than events");
    assert_eq!(
        damage(&framed(&event, 1, |header| header.first = 1)),
        "frames are missing or out of order"
    );
    assert_eq!(
        damage(&framed(&event, 1, |header| header.plain_bytes += 1)),
        "a payload of another length"
    );
    assert_eq!(
        damage(&framed(&event, 1, |header| header.plain_bytes -= 1)),
        "a payload that cannot be decompressed"
    );
    assert_eq!(
        damage(&framed(&event, 1, |header| header.plain_bytes = u32::MAX)),
        "a frame that exceeds the limits"
    );
    // A string that claims 4 GiB and an array that claims 4 G entries.
    let claims: [&[u8]; 2] = [
        b"\x82\xa4time\xdb\xff\xff\xff\xff",
        b"\x82\xa4time\xdd\xff\xff\xff\xff",
    ];
    for claim in claims {
        assert_eq!(
            damage(&framed(claim, 1, |_| ())),
            "an event that this version does not understand"
        );
    }
}

#[test]
fn a_decompression_bomb_is_refused() {
    let bomb = vec![0; 64 << 20];
    let bytes = framed(&bomb, 1, |header| header.plain_bytes = 4 << 20);
    assert_eq!(damage(&bytes), "a payload that cannot be decompressed");
}

#[test]
fn a_frame_of_an_unknown_kind_is_skipped() {
    let event = rmp_serde::to_vec_named(&tick(1)).unwrap();
    let mut bytes = framed(b"something later", 0, |header| header.kind = 2);
    bytes.extend_from_slice(&framed(&event, 1, |_| ())[FILE_HEADER_BYTES..]);
    let (events, _, failure) = read(&bytes);
    assert!(failure.is_none());
    assert_eq!(events.len(), 1);
}

#[test]
fn a_field_unknown_to_this_version_is_skipped() {
    // {"time": 1, "later": [{}, 2], "body": "tick"}
    let plain = b"\x83\xa4time\x01\xa5later\x92\x80\x02\xa4body\xa4tick";
    assert_eq!(read(&framed(plain, 1, |_| ())).0, [tick(1)]);
}

#[test]
fn a_failing_input_is_not_reported_as_damage() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk on fire"))
        }
    }
    let failure = Reader::new(Broken).err().unwrap();
    assert_eq!(
        failure.to_string(),
        "cannot be read further, after 0 events: disk on fire"
    );
}
