//! Tests of completion.

use pintrace_model::field::Field;
use pintrace_model::snapshot::Process;

use super::super::rows::PROCESSES;
use super::super::{complete, values_of};
use super::{NOW, scanned, vm};

/// The text with the first candidates in place, with the cursor at the end.
fn completed(text: &str) -> Vec<String> {
    let rows = [vm(), scanned()];
    let values = |field: &'static Field<Process>| values_of(field, &rows, NOW);
    let found = complete(text, text.len(), &PROCESSES, &values);
    let put = |candidate: String| {
        let mut text = text.to_owned();
        text.replace_range(found.replaces.clone(), &candidate);
        text
    };
    found.candidates.into_iter().map(put).collect()
}

#[test]
fn fields_operators_keywords_values_and_units_are_completed() {
    assert_eq!(completed("pag")[..2], ["pages_held", "longterm_pages_held"]);
    assert_eq!(completed("fio (ol"), ["fio (oldest"]);
    assert_eq!(
        completed("comm ")[..5],
        ["comm =", "comm !=", "comm ~", "comm and", "comm or"]
    );
    assert_eq!(completed("pid = 7 o")[0], "pid = 7 oldest");
    assert!(completed("pid = 7 o").contains(&"pid = 7 or".to_owned()));
    assert_eq!(completed("subsystem = vf"), ["subsystem = vfio"]);
    assert_eq!(completed("comm="), ["comm=\"and\"", "comm=qemu-system-x86"]);
    assert_eq!(
        completed("cmdline = \"qemu-s"),
        [r#"cmdline = "qemu-system-x86_64 -name guest-seven \"x\"""#]
    );
    assert_eq!(completed("bytes > 4")[..2], ["bytes > 4KiB", "bytes > 4MiB"]);
    assert!(completed("nothing_like_it = ").is_empty());
    assert_eq!(completed("not ").len(), PROCESSES.all().len() + 1);
}

#[test]
fn completion_at_any_byte_returns_bytes_before_the_cursor() {
    let text = "日本 and comm ~ \"é";
    for cursor in 0..text.len() + 3 {
        let found = complete(text, cursor, &PROCESSES, &|_| Vec::new());
        assert!(
            text.get(found.replaces.clone()).is_some() && found.replaces.end <= cursor,
            "{cursor}"
        );
    }
}
