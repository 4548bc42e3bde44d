//! Tests of mistakes: their columns, and what is possible there.

use pintrace_model::snapshot::Process;

use super::super::rows::PROCESSES;
use super::super::{MAX_BYTES, MAX_DEPTH, Query, QueryError};
use super::{NOW, process, vm};

fn error(text: &str) -> QueryError {
    Query::parse(text, &PROCESSES).unwrap_err()
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
    mistake("pagse > 3", 1, "no field `pagse`", "pages_held");
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
fn a_word_of_another_language_has_its_column_and_the_word_of_this_one() {
    mistake("comm != db && pages > 0", 12, "no operator `&&`", "and");
    mistake("fio||dd", 4, "no operator `||`", "or");
    mistake("fio | dd", 5, "no operator `|`", "or");
    mistake("!fio", 1, "no operator `!`", "not");
    mistake("!(fio or dd)", 1, "no operator `!`", "not");
    mistake("comm = !fio", 8, "no operator `!`", "not");
    mistake("pid = 7 or comm = 'db-cache'", 19, "double quotes", "\"...\"");
    mistake("'a b'", 1, "double quotes", "\"...\"");
    assert!(!process("\"&&\" or wow! or it's").matches(&vm(), NOW));
}

#[test]
fn a_unit_without_its_number_has_its_column() {
    mistake("bytes > x MiB", 11, "`MiB` is a unit", "field op 7MiB");
    mistake("fio MiB", 5, "`MiB` is a unit", "field op 7MiB");
    mistake("bytes > \"7\" and GiB", 17, "`GiB` is a unit", "field op 7GiB");
    mistake(
        "bytes > 7 KB",
        9,
        "`7 KB` is no value",
        "bytes: 4096, 4K, 64KiB, 1.5GiB",
    );
    mistake(
        "pid = 42 s",
        7,
        "`42 s` is no value of `pid`",
        "a number: 12, 10k, 2M",
    );
    mistake(
        "oldest > 5 min",
        10,
        "`5 min` is no value",
        "a time: 500ms, 5s, 2m30s, 1h, 3d",
    );
    mistake("comm = 7 k", 10, "`k` after a number is a unit", "and");
    mistake("pid ~ 7 k", 9, "`k` after a number is a unit", "and");
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
