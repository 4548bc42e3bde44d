//! The records of the ring buffer.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../pintrace/crates/source/src/decode.rs"]
#[allow(dead_code, reason = "the file is a part of another crate, and its tests are not built")]
mod decode;

fuzz_target!(|bytes: &[u8]| {
    if let Some(record) = decode::decode(bytes) {
        assert_eq!(decode::decode(bytes), Some(record));
    }
});
