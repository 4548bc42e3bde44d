//! Tests of the formats of a report.

use std::sync::Arc;

use pintrace_events::MissingHook;
use pintrace_model::finding::{FindingKind, Severity};
use quick_junit::{Report, TestCase, TestCaseStatus};
use serde_json::Value;

use super::{CheckResult, CheckRules, NASTY, finding, noted, snapshot};
use crate::cmd::check::Format;
use crate::cmd::check::allow::AllowFile;

/// Returns a report with each kind of ruling, a loss, a warning, and names that would break a format without escapes.
fn rendered(format: Format) -> String {
    let nasty = finding(FindingKind::MappingTouched, Severity::Hazard, NASTY);
    let known = finding(FindingKind::CowAfterPin, Severity::Alarm, "job");
    let mut found = snapshot(vec![known, nasty, noted()]);
    found.loss[0].1 = 3;
    let started = Arc::make_mut(&mut found.started);
    started.missing = vec![MissingHook {
        function: "unmap_region".into(),
        why: NASTY.into(),
        lost: "unmapping".into(),
    }];
    let allowed = AllowFile::parse(
        "[[allow]]\nkind = 'cow-after-pin'\nreason = '''<&>\n]]>'''\n",
        "<&>.toml",
    );
    let rules = CheckRules {
        fail_on: &[],
        allowed: &allowed.unwrap(),
        allow_loss: false,
    };
    crate::cmd::check::render(&CheckResult::reach(&found, &rules), format).unwrap()
}

#[test]
fn text_names_each_finding_and_has_no_control_characters() {
    let text = rendered(Format::Text);
    assert!(text.chars().all(|one| one == '\n' || !one.is_control()), "{text}");
    for part in [
        "pintrace: check failed: 1 finding; events were lost",
        "FAILS    hazard mapping-touched (munmap): <a&\"'\\u{1b}[31m",
        "pinned by thread 8 through io_uring, long-term, 2 pages",
        "io_pin_pages+0x12 < io_sqe_buffer_register",
        "Do better.",
        "allowed  alarm cow-after-pin",
        "listed   note fork-copied-pinned",
        "FAILS    ring_full 3: ",
        "warning  not seen: unmapping",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn json_has_each_ruling() {
    let report: Value = serde_json::from_str(&rendered(Format::Json)).unwrap();
    assert_eq!(
        (&report["passed"], &report["command_exit_code"]),
        (&false.into(), &0.into())
    );
    assert_eq!(report["command"][1], NASTY);
    let rulings: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["ruling"].as_str().unwrap())
        .collect();
    assert_eq!(rulings, ["allowed", "fails", "listed"]);
    assert_eq!(report["findings"][1]["comm"], NASTY);
    assert_eq!(report["findings"][1]["trigger"]["operation"], "munmap");
    assert_eq!(report["findings"][0]["reason"], "<&>\n]]>");
    assert_eq!(report["losses"][0]["name"], "ring_full");
    assert_eq!(report["losses"][0]["amount"], 3);
}

#[test]
fn junit_has_a_case_for_each_kind_for_loss_and_for_each_finding() {
    let xml = rendered(Format::Junit);
    let allowed_by_xml = |one: char| matches!(one, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(allowed_by_xml), "{xml}");
    let report = Report::deserialize_from_str(&xml).unwrap();
    let [suite] = &report.test_suites[..] else {
        panic!("one suite")
    };
    assert_eq!(suite.tests, FindingKind::ALL.len() + 1 + 3);
    assert_eq!(suite.test_cases.len(), suite.tests);
    // The kind, the finding itself, and loss fail; the allowed finding is skipped.
    assert_eq!((suite.failures, suite.disabled, suite.errors), (3, 1, 0));
    let skipped = |case: &&TestCase| matches!(case.status, TestCaseStatus::Skipped { .. });
    let skipped: Vec<_> = suite.test_cases.iter().filter(skipped).collect();
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].classname.as_deref(), Some("pintrace.cow-after-pin"));
    assert!(
        suite
            .test_cases
            .iter()
            .any(|case| case.name.contains("<a&\"'\\u{1b}[31m")),
        "{xml}"
    );
    let seconds = suite.time.unwrap().as_secs_f64();
    assert!((seconds - 2.0).abs() < 0.001, "{seconds}");
}

#[test]
fn sarif_has_rules_results_and_suppressions() {
    let log: Value = serde_json::from_str(&rendered(Format::Sarif)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(rules.len(), FindingKind::ALL.len());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    let levels: Vec<_> = results
        .iter()
        .map(|result| result["level"].as_str().unwrap())
        .collect();
    assert_eq!(levels, ["warning", "error", "note"]);
    assert_eq!(results[0]["suppressions"][0]["kind"], "external");
    assert_eq!(results[1]["suppressions"], Value::Array(vec![]));
    assert_eq!(
        results[1]["locations"][0]["logicalLocations"][0]["name"],
        "unmap_region"
    );
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(invocation["toolExecutionNotifications"][0]["level"], "error");
}
