//! Tests of queries over processes and findings.

mod completion;
mod mistakes;

use std::collections::BTreeMap;

use pintrace_events::units::{Nanos, Pid};
use pintrace_model::finding::Finding;
use pintrace_model::snapshot::{Process, ProcessEnd};
use pintrace_model::subsystem::Subsystem;
use pintrace_testing::event_builder::finding_fixtures;

use super::rows::{CALLS_IN_FLIGHT, FAILED_REGISTRATIONS, FINDINGS, PIN_CALLS, PROCESSES, WINDOWS};
use super::*;

const SECOND: u64 = 1_000_000_000;
const NOW: Nanos = Nanos(1000 * SECOND);

fn vm() -> Process {
    Process {
        pid: Pid(4242),
        comm: "qemu-system-x86".to_owned(),
        cmdline: "qemu-system-x86_64 -name guest-seven \"x\"".to_owned(),
        uid: Some(64_055),
        cgroup: "/machine.slice/guest-seven.scope".to_owned(),
        pages_held: u64::MAX,
        longterm_pages_held: 1,
        bytes_held: 3 << 30,
        huge_bytes_held: 1 << 30,
        oldest_since: Some(Nanos(850 * SECOND)),
        acquired_per_second: 2.5,
        subsystems: BTreeMap::from([(Subsystem::Vfio, 2), (Subsystem::IoUring, 1)]),
        ..Process::default()
    }
}

/// A process of which only a scan knows.
fn scanned() -> Process {
    Process {
        pid: Pid(7),
        comm: "and".to_owned(),
        pages_held: 3,
        untraced: true,
        ended: Some(ProcessEnd {
            signal: 9,
            ..ProcessEnd::default()
        }),
        ..Process::default()
    }
}

fn process(text: &str) -> Query<Process> {
    Query::parse(text, &PROCESSES).unwrap_or_else(|error| panic!("{error}"))
}

/// The queries match the machine, or do not.
fn matched(expected: bool, queries: &[&str]) {
    for text in queries {
        assert_eq!(process(text).matches(&vm(), NOW), expected, "{text}");
    }
}

#[test]
fn a_bare_word_matches_command_command_line_and_pid_in_any_case() {
    matched(true, &["QEMU", "guest-seven", "424", "\"-NAME guest\"", "", "  "]);
    matched(false, &["fio", "/machine.slice", "64055"]);
    assert!(process("\"and\"").matches(&scanned(), NOW));
}

#[test]
fn terms_side_by_side_mean_and_and_bind_tighter_than_or() {
    matched(
        true,
        &[
            "qemu seven",
            "qemu and 4242",
            "fio or qemu",
            "fio qemu or seven",
            "NOT fio",
        ],
    );
    matched(
        false,
        &["qemu fio", "fio (qemu or seven)", "not qemu", "qemu not seven"],
    );
    matched(true, &["not fio and qemu", "not (fio and qemu)", "not not qemu"]);
}

#[test]
fn counts_and_bytes_are_exact() {
    matched(
        true,
        &[
            "pages_held = 18446744073709551615",
            "pages_held > 18446744073709551614",
        ],
    );
    matched(
        false,
        &[
            "pages_held = 18446744073709551614",
            "pages_held>18446744073709551615",
        ],
    );
    matched(
        true,
        &[
            "bytes_held=3GiB",
            "bytes < 3.000000001G",
            "BYTES >= 3145728K",
            "pid != 4241",
        ],
    );
    matched(false, &["bytes_held != 3GiB", "bytes > 3G", "bytes < 3072M"]);
}

#[test]
fn a_blank_may_stand_between_a_number_and_its_unit() {
    matched(
        true,
        &[
            "bytes >= 3 GiB",
            "bytes = \"3 GiB\"",
            "bytes>=3 g qemu",
            "oldest = 150 s and qemu",
            "longterm_share < 50 %",
            "ACQ/s < 10 k/s",
            "pages > 1 M",
            "(pages > 1 M)",
            "pid = 4242 \"e\"",
        ],
    );
    matched(false, &["bytes > 3 GiB", "oldest > 150 s", "bytes > 7 MiB fio"]);
}

#[test]
fn a_moment_is_an_age_at_the_time_of_the_snapshot() {
    matched(true, &["oldest = 2m30s", "oldest >= 150s", "age < 1h"]);
    matched(false, &["oldest > 150s"]);
    assert!(process("oldest > 150s").matches(&vm(), Nanos(NOW.0 + 1)));
}

#[test]
fn shares_are_exact_although_a_table_rounds_them() {
    matched(
        true,
        &[
            "longterm_share > 0",
            "longterm_share < 0.01%",
            "HUGE > 33.3%",
            "huge < 0.34",
        ],
    );
    matched(false, &["longterm_share = 0%", "huge_share = 33%"]);
}

#[test]
fn rates_have_decimal_suffixes() {
    matched(true, &["acquired_per_second = 2.5", "ACQ/s < 10k/s"]);
}

#[test]
fn names_are_compared_whole_and_in_any_case() {
    matched(
        true,
        &[
            "comm = QEMU-system-x86",
            "subsystem = vfio",
            "state = live",
            "command != qemu",
        ],
    );
    matched(false, &["comm = qemu", "subsystem = io_uring"]);
    assert!(process("state = sigkill").matches(&scanned(), NOW));
}

#[test]
fn a_regular_expression_matches_a_part_in_any_case() {
    matched(
        true,
        &[
            "comm ~ ^QEMU",
            "cgroup ~ \"^/machine\\.slice/\"",
            "subsystems ~ io_uring",
        ],
    );
    matched(
        true,
        &["cmdline ~ \"\\\"x\\\"$\"", "pid ~ ^42", "comm ~ \"^(fio|qemu)\""],
    );
    matched(false, &["comm ~ ^system", "pid ~ ^2"]);
}

#[test]
fn an_unknown_value_matches_nothing() {
    for operator in ["=", "!=", "<", "<=", ">", ">="] {
        for (field, value) in [
            ("uid", "0"),
            ("oldest", "0s"),
            ("longterm_share", "0"),
            ("acquired", "0"),
        ] {
            let text = format!("{field} {operator} {value}");
            assert!(!process(&text).matches(&scanned(), NOW), "{text}");
            assert!(process(&format!("not {text}")).matches(&scanned(), NOW), "{text}");
        }
    }
    for text in ["cgroup = x", "cgroup != x", "cgroup ~ .", "uid ~ ."] {
        assert!(!process(text).matches(&scanned(), NOW), "{text}");
    }
    let holds_nothing = Process::default();
    assert!(
        !process("longterm_share < 100%").matches(&holds_nothing, NOW),
        "a share of nothing"
    );
}

#[test]
fn findings_are_matched_by_their_fields() {
    let mut model = pintrace_model::Model::default();
    for event in &finding_fixtures().events {
        model.apply(event);
    }
    let snapshot = model.snapshot();
    let number = |text: &str| {
        let query: Query<Finding> = Query::parse(text, &FINDINGS).unwrap();
        let rows = snapshot.findings.iter();
        rows.filter(|found| query.matches(found, snapshot.time)).count()
    };
    assert_eq!(number(""), 7);
    assert_eq!(number("severity = alarm"), 2);
    assert_eq!(number("ALARM"), 2);
    assert_eq!(number("kind ~ ^cow and not severity = alarm"), 0);
    assert_eq!(number("trigger_comm = toucher"), number("toucher"));
    assert_eq!(number("last < 1h"), 7, "a time since the finding");
    assert_eq!(number("last > 1h"), 0);
    let with_range = snapshot.findings.iter().filter(|found| found.end != 0);
    assert_eq!(number("address >= 0x0"), with_range.count());
    let address = snapshot
        .findings
        .iter()
        .find(|found| found.end != 0)
        .unwrap()
        .address;
    assert!(number(&format!("address = {address:#x}")) >= 1);
}

#[test]
fn a_pin_older_than_the_session_is_older_than_the_session_at_least() {
    let older = Process {
        older_than: Some(Nanos(966 * SECOND)),
        ..scanned()
    };
    let matches = |text: &str| process(text).matches(&older, NOW);
    assert!(matches("oldest > 10s") && matches("oldest >= 34s") && matches("oldest > 34s"));
    // Nobody knows.
    for text in ["oldest > 1h", "oldest < 1h", "oldest < 10s", "oldest = 34s"] {
        assert!(!matches(text), "{text}");
    }
}

#[test]
fn a_query_needs_no_space_around_operators_and_parentheses() {
    matched(true, &["pid=4242", "(pid=4242)and(qemu)", "pid>=4242 (qemu)"]);
}

fn no_two_fields_share_a_name<T>(rows: &RowFields<T>) {
    for field in rows.all() {
        let is = |name: &str| rows.named(name).map(|found| found.id);
        assert_eq!(is(field.id), Some(field.id));
        assert_eq!(is(field.title), Some(field.id), "{}", field.title);
        assert_eq!(is(&field.id.to_uppercase()), Some(field.id));
    }
    for (alias, id) in rows.aliases {
        assert_eq!(rows.named(alias).map(|found| found.id), Some(*id));
    }
}

#[test]
fn each_id_title_and_alias_names_one_field() {
    no_two_fields_share_a_name(&PROCESSES);
    no_two_fields_share_a_name(&FINDINGS);
    no_two_fields_share_a_name(&WINDOWS);
    no_two_fields_share_a_name(&PIN_CALLS);
    no_two_fields_share_a_name(&CALLS_IN_FLIGHT);
    no_two_fields_share_a_name(&FAILED_REGISTRATIONS);
}
