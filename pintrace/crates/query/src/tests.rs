//! Tests of queries over processes and findings.

use std::collections::BTreeMap;

use pintrace_events::units::{Nanos, Pid};
use pintrace_model::field::Field;
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

fn error(text: &str) -> QueryError {
    Query::parse(text, &PROCESSES).unwrap_err()
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

/// A mistake, its column, and the first possibility.
fn mistake(text: &str, column: usize, wrong: &str, possible: &str) {
    let error = error(text);
    assert_eq!(error.column(), column, "{error}");
    assert!(error.wrong().contains(wrong), "{error}");
    assert_eq!(
        error.possible().first().map_or("", String::as_str),
        possible,
        "{error}"
    );
}

#[test]
fn an_unknown_field_has_its_column_and_the_nearest_names() {
    mistake(
        "fio and pagse_held > 3",
        9,
        "processes have no field `pagse_held`",
        "pages_held",
    );
    mistake("sub = vfio", 1, "no field `sub`", "subsystem");
    mistake("日本 or severity = alarm", 7, "no field `severity`", "extents");
    assert_eq!(error("severity = alarm").unknown_field(), Some("severity"));
    assert_eq!(error("pid = x").unknown_field(), None);
}

#[test]
fn a_wrong_value_has_its_column_and_the_accepted_units() {
    mistake(
        "oldest > 5",
        10,
        "`5` is no value of `oldest`",
        "a time: 500ms, 5s, 2m30s, 1h, 3d",
    );
    mistake(
        "bytes >= 4KB",
        10,
        "`4KB` is no value",
        "bytes: 4096, 4K, 64KiB, 1.5GiB",
    );
    mistake("pid = init", 7, "`init` is no value", "a number: 12, 10k, 2M");
    mistake("longterm_share > 50", 18, "`50` is no value", "a share: 50%, 0.5");
    mistake(
        "comm ~ \"a(\"",
        8,
        "no regular expression: unclosed group",
        "text, with . * [ ( as in other tools",
    );
    mistake(
        "comm ~ \"(\\w{500}){500}\"",
        8,
        "it is too large",
        "text, with . * [ ( as in other tools",
    );
}

#[test]
fn a_wrong_operator_has_its_column_and_the_possible_operators() {
    mistake("comm < fio", 6, "`comm` is a name", "=");
    mistake("pid == 7", 5, "no operator `==`", "=");
    mistake("= 7", 1, "a field is missing before `=`", "field op value");
    mistake(
        "\"pid\" = 7",
        1,
        "a field stands without quotes",
        "field op value",
    );
    mistake("pid = 7 = 8", 9, "a field is missing", "field op value");
}

#[test]
fn something_that_is_missing_is_named_at_its_place() {
    mistake("fio and", 8, "a term is missing after `and`", "a word");
    mistake("or fio", 1, "a term is missing", "a word");
    mistake("fio or and", 8, "a term is missing after `or`", "a word");
    mistake("()", 2, "a term is missing after `(`", "a word");
    mistake("not", 4, "a term is missing after `not`", "a word");
    mistake("pid =", 6, "a value is missing after `=`", "a value");
    mistake("pid = and fio", 7, "a value is missing", "a value");
    mistake(
        "fio (a or b",
        12,
        "the parenthesis in column 5 is not closed",
        ")",
    );
    mistake("a) or b", 2, "never opened", "and");
    mistake("comm = \"fio", 8, "this quote is not closed", "\"...\"");
    mistake("\"fio", 1, "this quote is not closed", "\"...\"");
}

#[test]
fn a_value_that_would_be_cut_in_two_needs_quotes() {
    mistake("comm ~ ^(fio|dd)", 9, "needs quotes", "a space");
    mistake("fio\"x\"", 4, "needs quotes", "a space");
    mistake("cmdline = --a=b", 14, "needs quotes", "a space");
    assert!(Query::parse("(comm=fio)", &PROCESSES).is_ok());
}

#[test]
fn length_and_depth_are_limited() {
    let long = "x".repeat(MAX_BYTES);
    assert!(process(&long).matches(
        &Process {
            comm: long.clone(),
            ..Process::default()
        },
        NOW
    ));
    let longer = error(&format!("{long}é"));
    assert_eq!(longer.column(), MAX_BYTES + 1);
    assert!(longer.wrong().contains("4096 bytes"));
    let nested = |depth: usize| format!("{}x{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Query::parse(&nested(MAX_DEPTH), &PROCESSES).is_ok());
    let deeper = error(&nested(MAX_DEPTH + 1));
    assert_eq!(
        (deeper.column(), deeper.wrong().contains("64 deep")),
        (MAX_DEPTH + 2, true)
    );
    assert!(Query::parse(&"(".repeat(MAX_BYTES), &PROCESSES).is_err());
    assert!(Query::parse(&"not ".repeat(MAX_BYTES / 4), &PROCESSES).is_err());
    assert!(process(&"a ".repeat(MAX_BYTES / 2)).matches(&vm(), NOW));
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
