//! Renders the report of a check as JUnit XML: a test case for each kind of finding, a test case for loss, and a test
//! case for each finding.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite, XmlString};

use pintrace_model::finding::FindingKind;
use pintrace_model::text::printable;

use super::result::{CheckResult, RuledFinding, Ruling};
use super::text;

/// Returns the report, with a line end.
pub(super) fn render(result: &CheckResult<'_>) -> Result<String, SerializeError> {
    let duration = Duration::from_nanos(result.snapshot.duration.0);
    let mut suite = TestSuite::new("pintrace check");
    suite.set_time(duration);
    suite.add_test_cases(FindingKind::ALL.iter().map(|&kind| kind_case(kind, result)));
    suite.add_test_case(loss_case(result));
    suite.add_test_cases(result.findings.iter().map(|ruled| finding_case(ruled, result)));
    suite.set_system_out(valid(&text::render(result)));
    let mut report = Report::new("pintrace");
    report.set_time(duration);
    report.add_test_suite(suite);
    report.to_string()
}

/// Returns the test case of a kind, which fails if a finding of this kind fails the check.
fn kind_case(kind: FindingKind, result: &CheckResult<'_>) -> TestCase {
    let failing = result.failing().filter(|finding| finding.kind == kind);
    let lines: Vec<_> = failing.map(text::headline).collect();
    let status = match lines.len() {
        0 => TestCaseStatus::success(),
        count => failure(&format!("{count} found. {}", kind.help()), &lines.join("\n")),
    };
    case("pintrace", kind.as_str(), status)
}

/// Returns the test case of loss: failed after a loss, or skipped if loss is allowed.
fn loss_case(result: &CheckResult<'_>) -> TestCase {
    let losses = result.losses.iter();
    let lines: Vec<_> = losses
        .map(|loss| format!("{} {}: {}", loss.name, loss.amount, loss.meaning))
        .collect();
    let status = match (lines.is_empty(), result.loss_fails()) {
        (true, _) => TestCaseStatus::success(),
        (false, true) => failure("Events were lost, so findings may be missing.", &lines.join("\n")),
        (false, false) => skipped(&format!("allowed: {}", lines.join(" "))),
    };
    case("pintrace", "loss", status)
}

fn finding_case(&RuledFinding { finding, ruling }: &RuledFinding<'_>, result: &CheckResult<'_>) -> TestCase {
    let status = match ruling {
        Ruling::Fails => failure(finding.explanation, &text::details(finding, result).join("\n")),
        Ruling::Allowed(entry) => skipped(&format!(
            "allowed: {} ({})",
            printable(&entry.reason),
            entry.location
        )),
        Ruling::Noted => TestCaseStatus::success(),
    };
    case(
        &format!("pintrace.{}", finding.kind),
        &text::headline(finding),
        status,
    )
}

fn case(class: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(valid(name), status);
    case.set_classname(valid(class));
    case
}

fn failure(message: &str, body: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(valid(message)).set_description(valid(body));
    status
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(valid(message));
    status
}

/// Returns the text with U+FFFD in place of each character that XML 1.0 cannot express. `XmlString` would drop most of
/// these characters, and would keep the non-characters U+FFFE and U+FFFF.
fn valid(text: &str) -> XmlString {
    let forbidden = |one: char| matches!(one, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    XmlString::new(text.replace(forbidden, "\u{fffd}"))
}
