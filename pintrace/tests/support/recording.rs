//! Recordings of synthetic streams.

use pintrace_record::Writer;
use pintrace_testing::event_builder::EventBuilder;

/// Returns the recording of a stream.
pub(crate) fn recording(stream: &EventBuilder) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for event in &stream.events {
        writer.append(event).unwrap();
    }
    writer.finish().unwrap()
}
