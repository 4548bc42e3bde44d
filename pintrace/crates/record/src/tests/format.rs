//! Tests of headers.

use crate::format::{FRAME_HEADER_BYTES, FileHeader, FrameHeader, Invalid, KIND_EVENTS, MAX_PLAIN_BYTES};

#[test]
fn headers_survive_the_round_trip() {
    let file = FileHeader { version: 7 };
    assert_eq!(FileHeader::decode(&file.encode()), Ok(file));
    let frame = FrameHeader {
        payload_bytes: 1,
        plain_bytes: 2,
        kind: KIND_EVENTS,
        events: 3,
        first: 4,
        payload_crc: 5,
    };
    assert_eq!(FrameHeader::decode(&frame.encode()), Ok(frame));
}

#[test]
fn every_flipped_bit_of_a_header_is_noticed() {
    let header = FrameHeader {
        payload_bytes: 100,
        plain_bytes: 200,
        kind: KIND_EVENTS,
        events: 3,
        first: 4,
        payload_crc: 5,
    };
    for bit in 0..FRAME_HEADER_BYTES * 8 {
        let mut bytes = header.encode();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(FrameHeader::decode(&bytes), Err(Invalid::Crc), "bit {bit}");
    }
}

#[test]
fn a_header_beyond_the_limits_is_refused() {
    let header = FrameHeader {
        payload_bytes: 100,
        plain_bytes: MAX_PLAIN_BYTES + 1,
        kind: KIND_EVENTS,
        events: 3,
        first: 4,
        payload_crc: 5,
    };
    assert_eq!(FrameHeader::decode(&header.encode()), Err(Invalid::Limit));
}
