//! Tests of recordings, and the helpers that they share.

mod damage;
mod file;
mod format;
mod log;
mod place;
mod stream;
mod version;

use pintrace_events::units::Nanos;
use pintrace_events::{Body, Event};

use crate::format::{FileHeader, FrameHeader, KIND_EVENTS, VERSION, checksum};
use crate::{ReadError, Reader, Writer};

/// A tick, the smallest event.
fn tick(time: u64) -> Event {
    Event {
        time: Nanos(time),
        body: Body::Tick,
    }
}

fn written(events: &[Event]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for event in events {
        writer.append(event).unwrap();
    }
    writer.finish().unwrap()
}

/// Returns all events, whether the stream is complete, and the error if the reader returned one.
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

/// Returns a recording of one frame. `forge` may change the header of the frame.
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
    let mut bytes = FileHeader { version: VERSION }.encode().to_vec();
    bytes.extend_from_slice(&header.encode());
    bytes.extend_from_slice(&payload);
    bytes
}
