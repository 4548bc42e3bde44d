//! Tests of the allow file.

use super::{CheckResult, CheckRules, mapping_change, passes, snapshot};
use crate::cmd::check::allow::AllowFile;
use crate::cmd::check::result::Ruling;
use crate::cmd::check::text;

fn allow(text: &str) -> AllowFile {
    AllowFile::parse(text, "allow.toml").unwrap()
}

#[test]
fn an_entry_matches_a_finding_that_meets_all_its_criteria() {
    for (entry, matches) in [
        ("kind = 'mapping-touched'", true),
        ("kind = 'cow-after-pin'", false),
        ("subsystem = 'io_uring'", true),
        ("subsystem = 'rdma'", false),
        ("comm = 'job'", true),
        ("comm = 'jo'", false),
        ("symbol = 'io_pin_pages'", true),
        ("symbol = 'io_pin'", false),
        ("symbol = 'io_sqe_buffer_register'", true),
        ("symbol = 'io_sqe_buffer_register.isra.0'", true),
        ("symbol = 'unmap_region'", true),
        (
            "kind = 'mapping-touched'\ncomm = 'job'\nsymbol = 'unmap_region'",
            true,
        ),
        ("kind = 'mapping-touched'\ncomm = 'other'", false),
        ("where = 'subsystem = io_uring and pages >= 1'", true),
        ("where = 'kind ~ ^cow- or severity = alarm'", false),
        ("comm = 'other'\nwhere = 'kind ~ touched'", false),
    ] {
        let allowed = allow(&format!("[[allow]]\n{entry}\nreason = 'known'\n"));
        let found = snapshot(vec![mapping_change()]);
        assert_eq!(passes(&found, &[], &allowed, false), matches, "{entry}");
    }
}

#[test]
fn a_finding_without_a_pin_is_allowed_by_no_subsystem() {
    let mut found = mapping_change();
    found.pin = None;
    let allowed = allow("[[allow]]\nsubsystem = 'io_uring'\nreason = 'known'\n");
    assert!(!passes(&snapshot(vec![found]), &[], &allowed, false));
}

#[test]
fn an_entry_whose_query_names_a_subsystem_names_code() {
    let names = |query: &str| {
        let allowed = allow(&format!("[[allow]]\nwhere = '{query}'\nreason = 'known'\n"));
        allowed.names_code().is_some()
    };
    assert!(names("job or not (subsystem = rdma)"));
    assert!(!names("job or kind = subsystem"));
}

#[test]
fn a_warning_names_the_line_of_an_entry_that_matches_nothing() {
    let allowed = allow(
        "[[allow]]\ncomm = 'job'\nreason = 'known'\n\n# old\n[[allow]]\ncomm = 'gone'\nreason = 'was fixed'\n",
    );
    let found = snapshot(vec![mapping_change()]);
    let rules = CheckRules {
        fail_on: &[],
        allowed: &allowed,
        allow_loss: false,
    };
    let result = CheckResult::reach(&found, &rules);
    assert!(result.passed());
    assert!(matches!(result.findings[0].ruling, Ruling::Allowed(entry) if entry.reason == "known"));
    assert_eq!(result.warnings, ["allow.toml:6: matches no finding: was fixed"]);
    let text = text::render(&result);
    assert!(
        text.contains("allowed  hazard mapping-touched") && text.contains("allow.toml:1: known"),
        "{text}"
    );
}

#[test]
fn an_error_in_an_allow_file_names_the_line() {
    for (text, line, why) in [
        ("[[allow]]\nkind = 'mapping-touched'\n", 1, "reason"),
        ("[[allow]]\nkind = 'nothing'\nreason = 'x'\n", 2, "cow-after-pin"),
        ("\n[[allow]]\nreason = 'x'\nsubsystem = 'usb'\n", 4, "io_uring"),
        ("[[allow]]\ncomn = 'job'\nreason = 'x'\n", 2, "comn"),
        ("[[allow]]\nreason = 'x'\n", 1, "allow everything"),
        ("[[allow]]\ncomm = 'job'\nreason = ' '\n", 1, "reason is empty"),
        (
            "[[allow]]\nreason = 'x'\nwhere = 'pagse > 1'\n",
            3,
            "column 1: findings have no field `pagse`; possible: pages",
        ),
        ("[[allow]]\nreason = 'x'\nwhere = '  '\n", 1, "allow everything"),
        ("[[allow]]\ncomm = 5\nreason = 'x'\n", 2, "string"),
        ("[allow]\ncomm = 'job'\n", 1, "sequence"),
        ("[[allowed]]\n", 1, "allowed"),
        ("# fine\n[[allow]]\ncomm = 'job\n", 3, ""),
    ] {
        let error = AllowFile::parse(text, "allow.toml").unwrap_err();
        let location = format!("allow.toml:{line}: ");
        assert!(
            error.starts_with(&location) && error.contains(why),
            "{text}{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert!(allow("").entries.is_empty());
}
