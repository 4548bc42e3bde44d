//! Tests of the cursor: any moment, in any order, over arbitrary and broken recordings.

use std::io::Cursor as Bytes;
use std::ops::ControlFlow;
use std::time::Duration;

use proptest::prelude::*;

use pintrace_events::units::{Nanos, Pid};
use pintrace_events::{Body, Event};
use pintrace_model::Model;
use pintrace_model::snapshot::Snapshot;
use pintrace_record::{ReadError, Reader, Writer};
use pintrace_testing::arbitrary;
use pintrace_testing::event_builder::{EventBuilder, finding_fixtures, fio_and_others};
use pintrace_tui::{ReplayRequest, ReplayState, ReplayTarget};

use super::checkpoint::Checkpoints;
use super::cursor::Cursor;
use super::moments::{Moment, Moments};
use super::start;

type Recording = Cursor<Bytes<Vec<u8>>>;

fn written(events: &[Event]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for event in events {
        writer.append(event).unwrap();
    }
    writer.finish().unwrap()
}

/// Returns a cursor behind the end of a recording, and the failure of the reading.
fn cursor(bytes: Vec<u8>, spacing: u64) -> (Recording, Option<ReadError>) {
    let reader = Reader::new(Bytes::new(bytes)).unwrap();
    let mut cursor = Cursor::new(reader, Moments::default(), Checkpoints::spaced(spacing));
    let failure = cursor.list(|_, _| ControlFlow::Continue(())).err();
    (cursor, failure)
}

fn show(cursor: &mut Recording, index: usize) -> Snapshot {
    let moment = cursor.moments.get(index).unwrap();
    let shown = cursor.go(moment, |_| ControlFlow::Continue(())).unwrap();
    (*shown.unwrap().snapshot).clone()
}

/// Returns the state after the first `number` events.
fn folded(events: &[Event], number: u64) -> Snapshot {
    let mut model = Model::default();
    for event in &events[..usize::try_from(number).unwrap()] {
        model.apply(event);
    }
    model.snapshot()
}

fn stream_with_ticks() -> impl Strategy<Value = Vec<Event>> {
    (arbitrary::long_stream(), arbitrary::long_stream()).prop_map(|(mut events, more)| {
        events.extend(more);
        let last = events.last().map_or(Nanos(0), |event| event.time);
        events.push(Event {
            time: last,
            body: Body::Tick,
        });
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_moment_is_the_fold_of_the_prefix_in_any_order(
        events in stream_with_ticks(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
        spacing in 1..60_u64,
    ) {
        let (mut cursor, failure) = cursor(written(&events), spacing);
        prop_assert!(failure.is_none());
        let ticks = events.iter().filter(|event| matches!(event.body, Body::Tick | Body::Stopped(_))).count();
        prop_assert_eq!(cursor.moments.len(), ticks);
        for index in order {
            let index = index.index(cursor.moments.len());
            let moment = cursor.moments.get(index).unwrap();
            let expected = folded(&events, moment.events);
            prop_assert_eq!(show(&mut cursor, index), expected);
        }
    }

    #[test]
    fn a_prefix_of_the_file_has_the_moments_of_its_events(
        events in stream_with_ticks(),
        at in any::<prop::sample::Index>(),
    ) {
        let bytes = written(&events);
        let at = 16 + at.index(bytes.len() - 15);
        let (mut cursor, failure) = cursor(bytes[..at].to_vec(), 8);
        prop_assert!(failure.is_none());
        if let Some(last) = cursor.moments.last() {
            prop_assert_eq!(last.events, cursor.events());
            let last = cursor.moments.len() - 1;
            let expected = folded(&events, cursor.events());
            prop_assert_eq!(show(&mut cursor, last), expected);
            show(&mut cursor, 0);
        }
    }

    #[test]
    fn a_flipped_bit_never_panics_and_keeps_the_moments_before_it(
        events in stream_with_ticks(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let mut bytes = written(&events);
        let at = 16 + at.index(bytes.len() - 16);
        bytes[at] ^= 1 << bit;
        let (mut cursor, failure) = cursor(bytes, 8);
        prop_assert!(failure.is_some());
        for index in (0..cursor.moments.len()).rev() {
            let moment = cursor.moments.get(index).unwrap();
            let expected = folded(&events, moment.events);
            prop_assert_eq!(show(&mut cursor, index), expected);
        }
    }
}

/// A step back beyond the kept snapshots and a step forward give the same states as the way there.
#[test]
fn steps_back_and_forth_meet_the_same_states() {
    let events = long(2000);
    let (mut cursor, _) = cursor(written(&events), 100);
    let number = cursor.moments.len();
    assert!(number > 1500, "{number}");
    for index in [
        number - 1,
        0,
        1,
        2,
        1,
        0,
        700,
        699,
        698,
        40,
        41,
        number - 2,
        number - 1,
    ] {
        let moment = cursor.moments.get(index).unwrap();
        assert_eq!(
            show(&mut cursor, index),
            folded(&events, moment.events),
            "{index}"
        );
    }
}

/// Returns the events of a stream, followed by ticks.
fn long(ticks: u64) -> Vec<Event> {
    let mut events = fio_and_others().events;
    events.retain(|event| !matches!(event.body, Body::Stopped(_)));
    events.extend(finding_fixtures().events);
    let last = events.iter().map(|event| event.time.0).max().unwrap();
    events.extend((1..=ticks).map(|tick| Event {
        time: Nanos(last + tick * 1_000_000_000),
        body: Body::Tick,
    }));
    events
}

#[test]
fn work_that_is_left_goes_on_where_it_was() {
    let events = long(20_000);
    let (mut cursor, _) = cursor(written(&events), u64::MAX);
    let last = cursor.moments.len() - 1;
    show(&mut cursor, 0);
    let moment = cursor.moments.get(last).unwrap();
    let mut asked = 0;
    while cursor.go(moment, |_| ControlFlow::Break(())).unwrap().is_none() {
        asked += 1;
    }
    assert!(asked > 10, "{asked}");
    assert_eq!(show(&mut cursor, last), folded(&events, moment.events));
}

#[test]
fn the_history_at_a_moment_does_not_depend_on_the_way_to_it() {
    let mut builder = EventBuilder::begin();
    builder.process(7, "app").account(1, 7, 7, 1, true);
    for pages in 1..=1_300 {
        builder.totals(1, pages, 0).wait(1_000_000_000).tick();
    }
    let history = |cursor: &mut Recording, index| {
        let moment = cursor.moments.get(index).unwrap();
        let shown = cursor.go(moment, |_| ControlFlow::Continue(())).unwrap().unwrap();
        shown.history.of(Pid(7)).collect::<Vec<_>>()
    };
    let (mut from_the_end, _) = cursor(written(&builder.events), 1 << 14);
    let (mut from_the_start, _) = cursor(written(&builder.events), 1 << 14);
    show(&mut from_the_start, 0);
    for index in [900, 1_150, 1_299, 720] {
        let samples = history(&mut from_the_end, index);
        assert_eq!(samples.len(), 600, "{index}");
        assert_eq!(samples, history(&mut from_the_start, index), "{index}");
    }
}

#[test]
fn reading_that_is_left_keeps_what_was_read() {
    let events = long(20_000);
    let reader = Reader::new(Bytes::new(written(&events))).unwrap();
    let mut cursor = Cursor::new(reader, Moments::default(), Checkpoints::default());
    let mut asked = 0;
    let left = cursor.list(|_, _| {
        asked += 1;
        if asked == 5 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(left.unwrap().is_break());
    let last = cursor.moments.len() - 1;
    let Moment { events: read, .. } = cursor.moments.get(last).unwrap();
    assert!((1000..10_000).contains(&read), "{read}");
    assert_eq!(show(&mut cursor, last), folded(&events, read));
    show(&mut cursor, 0);
}

#[test]
fn the_player_steps_plays_and_says_that_a_file_was_cut_short() {
    let mut bytes = written(&long(30));
    bytes.pop();
    let size = u64::try_from(bytes.len()).unwrap();
    let reader = Reader::new(Bytes::new(bytes)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (mut source, thread) = start(reader, size, runtime.handle().clone());
    let mut wait = |request: Option<ReplayRequest>, holds: fn(&ReplayState) -> bool| {
        if let Some(request) = request {
            source.requests.send(request).unwrap();
        }
        let frame = source.frames.wait_for(|frame| holds(&frame.state));
        let frame = runtime.block_on(async { tokio::time::timeout(Duration::from_mins(1), frame).await });
        frame.unwrap().unwrap().state.clone()
    };
    let read = wait(None, |state| state.work.is_none());
    assert!(read.early_end.unwrap().contains("cut short after"));
    assert!(read.position < read.length && !read.plays);
    wait(Some(ReplayRequest::To(ReplayTarget::End)), |state| {
        state.position == state.length
    });
    let before = wait(Some(ReplayRequest::Step(-3)), |state| {
        state.position < state.length
    });
    assert_eq!(before.length.since(before.position), Nanos(3_000_000_000));
    wait(Some(ReplayRequest::Toggle), |state| state.plays);
    // The last moment ends the playing.
    let end = wait(None, |state| !state.plays);
    assert_eq!(end.position, end.length);
    drop(source);
    let ended = thread.join().unwrap();
    assert!(ended.is_cut_short && ended.failure.is_none());
}
