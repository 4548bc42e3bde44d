//! Tests of the return to a place in a recording.

use std::io::Cursor;

use proptest::prelude::*;

use pintrace_testing::arbitrary;

use super::{tick, written};
use crate::Reader;
use crate::format::FRAME_BYTES;

proptest! {
    #[test]
    fn a_reader_at_a_place_gives_the_events_behind_it(
        events in arbitrary::long_stream(),
        at in any::<prop::sample::Index>(),
        read_before in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!events.is_empty());
        let mut reader = Reader::new(Cursor::new(written(&events))).unwrap();
        let at = at.index(events.len() + 1);
        let place = if at == 0 { reader.place() } else {
            reader.nth(at - 1).unwrap().unwrap();
            reader.place()
        };
        prop_assert_eq!(place.events(), u64::try_from(at).unwrap());
        let _ = reader.nth(read_before.index(events.len() + 1));
        reader.seek(place).unwrap();
        let rest: Vec<_> = reader.map(Result::unwrap).collect();
        prop_assert_eq!(&rest[..], &events[at..]);
    }
}

#[test]
fn places_in_later_frames_are_found() {
    let number = FRAME_BYTES / 10;
    let events: Vec<_> = (0..u64::try_from(number).unwrap()).map(tick).collect();
    let mut reader = Reader::new(Cursor::new(written(&events))).unwrap();
    let mut places = vec![reader.place()];
    while let Some(event) = reader.next() {
        event.unwrap();
        places.push(reader.place());
    }
    for at in [number, 0, number - 1, number / 2, 1] {
        reader.seek(places[at]).unwrap();
        let next = reader.next().map(Result::unwrap);
        assert_eq!(next.as_ref(), events.get(at), "{at}");
    }
}

#[test]
fn a_recording_that_has_become_shorter_gives_an_error() {
    let events: Vec<_> = (0..10).map(tick).collect();
    let bytes = written(&events);
    let mut reader = Reader::new(Cursor::new(bytes.clone())).unwrap();
    while reader.next().is_some() {}
    let end = reader.place();
    let mut short = Reader::new(Cursor::new(bytes[..20].to_vec())).unwrap();
    assert!(short.seek(end).is_err());
    assert!(short.next().is_none());
}
