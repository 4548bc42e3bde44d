//! Tests of writing and reading streams.

use std::io::{self, Write};

use proptest::prelude::*;

use pintrace_events::units::{Nanos, StackId};
use pintrace_events::{Body, Event, StackSeen};
use pintrace_testing::arbitrary;
use pintrace_testing::event_builder::fio_and_others;

use super::{framed, read, tick, written};
use crate::{EncodeError, ReadError, Writer};

proptest! {
    #[test]
    fn a_written_stream_is_read_back(events in arbitrary::stream()) {
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
        prop_assert!(failure.is_some(), "a flipped bit was not noticed");
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
fn a_tick_writes_all_events_before_it() {
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
    // Each event takes two thirds of the largest frame, so one frame cannot hold two events.
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
    let tick = tick(2);
    let mut writer = Writer::new(Vec::new()).unwrap();
    assert!(matches!(writer.append(&giant), Err(EncodeError::TooLarge(_))));
    writer.append(&tick).unwrap();
    assert_eq!(read(&writer.finish().unwrap()).0, [tick]);
}

#[test]
fn written_bytes_exclude_a_partial_frame() {
    /// An output with room for a number of bytes.
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
    let tick = tick(1);
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
