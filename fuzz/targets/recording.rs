//! A recording of unknown origin: the reader, the model and a snapshot accept any bytes.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use pintrace_model::Model;
use pintrace_record::Reader;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::new(Cursor::new(bytes)) else {
        return;
    };
    let mut model = Model::default();
    let mut events = 0;
    for event in reader.by_ref() {
        let Ok(event) = event else { break };
        model.apply(&event);
        events += 1;
    }
    let snapshot = model.snapshot();
    assert!(events > 0 || snapshot.processes.is_empty());
});
