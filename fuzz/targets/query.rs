//! The query language: parser, tests of rows, and completion.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pintrace_events::units::Nanos;
use pintrace_model::snapshot::Process;

use pintrace_query::rows::PROCESSES;
use pintrace_query::{Query, complete};

fuzz_target!(|input: (&str, usize)| {
    let (text, cursor) = input;
    match Query::parse(text, &PROCESSES) {
        Ok(query) => {
            let row = Process::default();
            let found = query.matches(&row, Nanos(0));
            // The text that a query prints is the same query.
            let again = Query::parse(query.text(), &PROCESSES).expect("a printed query is a query");
            assert_eq!(again.matches(&row, Nanos(0)), found);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let completions = complete(text, cursor.min(text.len()), &PROCESSES, &|_| Vec::new());
    assert!(text.get(completions.replaces).is_some());
});
