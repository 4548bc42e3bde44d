//! Claims about recordings: what is written is read, what is torn opens, what is forged is refused.

mod versions;

use std::fs;
use std::io::{self, Write};

use proptest::prelude::*;

use pintrace_events::units::{Nanos, StackId};
use pintrace_events::{Body, Event, StackSeen};
use pintrace_testing::arbitrary;
use pintrace_testing::event_builder::fio_and_others;

use super::format::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader, FrameHeader, KIND_EVENTS, checksum};
use super::{CreateError, EncodeError, Existing, ReadError, Reader, Recording, WriteError, Writer};

fn written(events: &[Event]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for event in events {
        writer.append(event).unwrap();
    }
    writer.finish().unwrap()
}

/// All events, whether the stream ended in order, and the error if there was one.
fn read(bytes: &[u8]) -> (Vec<Event>, bool, Option<ReadError>) {
    let mut reader = match Reader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), false, Some(error)),
    };
    let mut events = Vec::new();
    let mut failure = None;
    for event in &mut reader {
        match event {
            Ok(event) => events.push(event),
            Err(error) => failure = Some(error),
        }
    }
    assert_eq!(reader.events_read(), u64::try_from(events.len()).unwrap());
    (events, reader.is_complete(), failure)
}

/// A frame around a payload, with a header that fits it.
fn framed(plain: &[u8], events: u32, forge: impl FnOnce(&mut FrameHeader)) -> Vec<u8> {
    let payload = zstd::bulk::compress(plain, 1).unwrap();
    let mut header = FrameHeader {
        payload_bytes: payload.len().try_into().unwrap(),
        plain_bytes: plain.len().try_into().unwrap(),
        kind: KIND_EVENTS,
        events,
        first: 0,
        payload_crc: checksum(&payload),
    };
    forge(&mut header);
    let mut bytes = FileHeader {
        version: super::compat::CURRENT,
    }
    .encode()
    .to_vec();
    bytes.extend_from_slice(&header.encode());
    bytes.extend_from_slice(&payload);
    bytes
}

fn damage(bytes: &[u8]) -> &'static str {
    match read(bytes) {
        (_, _, Some(ReadError::Damaged { what, .. })) => what,
        other => panic!("not called damaged: {other:?}"),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(events in arbitrary::stream()) {
        let (back, _, failure) = read(&written(&events));
        if events.is_empty() {
            prop_assert!(matches!(failure, Some(ReadError::Empty)));
        } else {
            prop_assert!(failure.is_none());
            prop_assert_eq!(back, events);
        }
    }

    #[test]
    fn any_prefix_of_a_recording_is_a_recording(events in arbitrary::stream(), at in any::<prop::sample::Index>()) {
        let bytes = written(&events);
        let (back, _, failure) = read(&bytes[..at.index(bytes.len() + 1)]);
        prop_assert!(matches!(failure, None | Some(ReadError::Empty)), "{failure:?}");
        prop_assert_eq!(&back[..], &events[..back.len()]);
    }

    #[test]
    fn a_flipped_bit_never_changes_an_event(events in arbitrary::stream(), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let mut bytes = written(&events);
        prop_assume!(!bytes.is_empty());
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let (back, _, failure) = read(&bytes);
        prop_assert!(failure.is_some(), "a flipped bit went unseen");
        prop_assert_eq!(&back[..], &events[..back.len()]);
    }

    #[test]
    fn noise_within_a_valid_frame_never_panics(plain in prop::collection::vec(any::<u8>(), 0..200), events in 0..5_u32) {
        read(&framed(&plain, events, |_| ()));
    }

    #[test]
    fn mutated_messages_never_panic(events in arbitrary::stream(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut plain = Vec::new();
        for event in &events {
            plain.extend(rmp_serde::to_vec_named(event).unwrap());
        }
        prop_assume!(!plain.is_empty());
        for (at, byte) in edits {
            let at = at.index(plain.len());
            plain[at] = byte;
        }
        read(&framed(&plain, events.len().try_into().unwrap(), |_| ()));
    }
}

#[test]
fn a_stream_that_was_not_stopped_is_not_complete() {
    let builder = fio_and_others();
    let (_, complete, _) = read(&written(&builder.events));
    assert!(complete);
    let (_, complete, failure) = read(&written(&builder.events[..builder.events.len() - 1]));
    assert!(!complete && failure.is_none());
}

#[test]
fn a_tick_puts_everything_before_it_on_file() {
    let builder = fio_and_others();
    let tick = builder
        .events
        .iter()
        .position(|event| event.body == Body::Tick)
        .unwrap();
    let mut writer = Writer::new(Vec::new()).unwrap();
    for event in &builder.events[..=tick] {
        writer.append(event).unwrap();
    }
    assert_eq!(read(writer.output()).0.len(), tick + 1);
}

#[test]
fn long_streams_are_split_into_frames_within_the_limits() {
    // Two thirds of the largest frame each: they must not be put into one.
    let long = |seed: u64| {
        let frames = (0..320_000).map(|index| index ^ (seed << 40)).collect();
        Event {
            time: Nanos(seed),
            body: Body::StackSeen(StackSeen {
                stack: StackId(1),
                frames,
            }),
        }
    };
    let events: Vec<_> = (0..3).map(long).collect();
    let (back, _, failure) = read(&written(&events));
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(back, events);
}

#[test]
fn an_event_larger_than_any_frame_is_refused_alone() {
    let frames = vec![u64::MAX; 600_000];
    let giant = Event {
        time: Nanos(1),
        body: Body::StackSeen(StackSeen {
            stack: StackId(1),
            frames,
        }),
    };
    let tick = Event {
        time: Nanos(2),
        body: Body::Tick,
    };
    let mut writer = Writer::new(Vec::new()).unwrap();
    assert!(matches!(writer.append(&giant), Err(EncodeError::TooLarge(_))));
    writer.append(&tick).unwrap();
    assert_eq!(read(&writer.finish().unwrap()).0, [tick]);
}

#[test]
fn other_files_are_told_from_recordings() {
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
    assert_eq!(damage(&bytes), "the checksum of a frame's head");
}

#[test]
fn damage_says_where_it_is_and_what_is_good() {
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
        message.contains(&format!("the {} events before it are good", header.events)),
        "{message}"
    );
}

#[test]
fn forged_frames_are_refused_in_bounded_memory() {
    let event = rmp_serde::to_vec_named(&Event {
        time: Nanos(1),
        body: Body::Tick,
    })
    .unwrap();
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
        "content of another length"
    );
    assert_eq!(
        damage(&framed(&event, 1, |header| header.plain_bytes -= 1)),
        "content that cannot be decompressed"
    );
    assert_eq!(
        damage(&framed(&event, 1, |header| header.plain_bytes = u32::MAX)),
        "a frame larger than any"
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
    assert_eq!(damage(&bytes), "content that cannot be decompressed");
}

#[test]
fn a_frame_of_an_unknown_kind_is_skipped() {
    let event = rmp_serde::to_vec_named(&Event {
        time: Nanos(1),
        body: Body::Tick,
    })
    .unwrap();
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
    assert_eq!(
        read(&framed(plain, 1, |_| ())).0,
        [Event {
            time: Nanos(1),
            body: Body::Tick
        }]
    );
}

#[test]
fn an_input_that_fails_is_not_called_damaged() {
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

#[test]
fn a_recording_that_never_began_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.pin");
    drop(Recording::create(&path, Existing::KeepForeign).unwrap());
    assert!(!path.exists());
}

#[test]
fn an_older_recording_stays_until_the_first_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.pin");
    let old = written(&fio_and_others().events);
    fs::write(&path, &old).unwrap();
    drop(Recording::create(&path, Existing::KeepForeign).unwrap());
    assert_eq!(fs::read(&path).unwrap(), old);
    let mut recording = Recording::create(&path, Existing::KeepForeign).unwrap();
    let tick = Event {
        time: Nanos(1),
        body: Body::Tick,
    };
    recording.append(&tick).unwrap();
    recording.finish().unwrap();
    let new = fs::read(&path).unwrap();
    assert_eq!(read(&new).0, [tick]);
    assert_eq!(recording.written_bytes(), u64::try_from(new.len()).unwrap());
}

#[test]
fn a_foreign_file_is_only_replaced_when_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thesis.txt");
    fs::write(&path, "three years of work").unwrap();
    let refused = Recording::create(&path, Existing::KeepForeign).err().unwrap();
    assert!(matches!(refused, CreateError::Foreign(_)));
    assert!(refused.to_string().contains("--force"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), b"three years of work");
    Recording::create(&path, Existing::Replace).unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, "").unwrap();
    Recording::create(&empty, Existing::KeepForeign).unwrap();
    assert!(empty.exists(), "what another made is not removed");
}

#[test]
fn two_recordings_never_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.pin");
    let _first = Recording::create(&path, Existing::KeepForeign).unwrap();
    assert!(matches!(
        Recording::create(&path, Existing::Replace),
        Err(CreateError::Busy(_))
    ));
}

#[test]
fn a_path_that_cannot_be_opened_is_named_with_the_remedy() {
    let refused = Recording::create("/nonexistent/x.pin".as_ref(), Existing::KeepForeign)
        .err()
        .unwrap();
    let message = refused.to_string();
    assert!(
        message.starts_with("/nonexistent/x.pin: ") && message.contains("-o FILE"),
        "{message}"
    );
}

#[test]
fn a_full_disk_is_named_and_every_unwritten_event_is_counted() {
    let mut recording = Recording::create("/dev/full".as_ref(), Existing::KeepForeign).unwrap();
    let tick = Event {
        time: Nanos(1),
        body: Body::Tick,
    };
    let failure = recording.append(&tick).unwrap_err();
    let message = failure.to_string();
    assert!(matches!(failure, WriteError::Output { events: 0, .. }));
    assert!(
        message.contains("/dev/full") && message.contains("Free some space"),
        "{message}"
    );
    assert!(matches!(recording.append(&tick), Err(WriteError::Stopped(_))));
    assert_eq!(recording.unwritten_events(), 2);
}

#[test]
fn a_recording_can_go_to_a_device() {
    let mut recording = Recording::create("/dev/null".as_ref(), Existing::KeepForeign).unwrap();
    recording
        .append(&Event {
            time: Nanos(1),
            body: Body::Tick,
        })
        .unwrap();
    recording.finish().unwrap();
}

#[test]
fn a_torn_frame_is_reported_by_the_bytes_that_are_whole() {
    /// Takes so many bytes and no more.
    struct Small(Vec<u8>, usize);
    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.1.saturating_sub(self.0.len()).min(bytes.len());
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.extend_from_slice(&bytes[..room]);
            Ok(room)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let tick = Event {
        time: Nanos(1),
        body: Body::Tick,
    };
    let mut writer = Writer::new(Small(Vec::new(), 200)).unwrap();
    let failure = std::iter::repeat_with(|| writer.append(&tick))
        .find_map(Result::err)
        .unwrap();
    assert!(matches!(failure, EncodeError::Output(_)));
    let whole = usize::try_from(writer.written_bytes()).unwrap();
    let torn = &writer.output().0;
    assert!(whole < torn.len());
    assert_eq!(read(torn).0, read(&torn[..whole]).0);
    assert_eq!(
        read(torn).0.len(),
        usize::try_from(writer.written_events()).unwrap()
    );
}
