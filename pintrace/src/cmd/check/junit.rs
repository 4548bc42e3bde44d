//! The report as JUnit XML: a test case for each kind, one for loss, and one for each finding.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use pintrace_model::finding::FindingKind;
use pintrace_model::text::printable;

use super::result::{CheckResult, Ruling};
use super::text;

/// How a test case came out.
enum CaseOutcome {
    Passed,
    Failed { message: String, body: String },
    Skipped { message: String },
}

struct Case {
    class: String,
    name: String,
    outcome: CaseOutcome,
}

/// With a line end.
pub(super) fn render(result: &CheckResult<'_>) -> io::Result<String> {
    let cases = cases(result);
    let number = |counted: fn(&CaseOutcome) -> bool| {
        let counted = cases.iter().filter(|case| counted(&case.outcome));
        counted.count().to_string()
    };
    let failures = number(|outcome| matches!(outcome, CaseOutcome::Failed { .. }));
    let skipped = number(|outcome| matches!(outcome, CaseOutcome::Skipped { .. }));
    let tests = cases.len().to_string();
    let seconds = format!("{:.3}", result.snapshot.duration.as_secs());
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites = writer.create_element("testsuites").with_attributes([
        ("tests", tests.as_str()),
        ("failures", &failures),
        ("time", &seconds),
    ]);
    suites.write_inner_content(|writer| {
        let suite = writer.create_element("testsuite").with_attributes([
            ("name", "pintrace check"),
            ("tests", &tests),
            ("failures", &failures),
            ("errors", "0"),
            ("skipped", &skipped),
            ("time", &seconds),
        ]);
        suite.write_inner_content(|writer| {
            cases.iter().try_for_each(|case| write(writer, case))?;
            let said = valid(&text::render(result));
            writer
                .create_element("system-out")
                .write_text_content(BytesText::new(&said))?;
            Ok(())
        })?;
        Ok(())
    })?;
    let xml = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    Ok(xml + "\n")
}

fn cases(result: &CheckResult<'_>) -> Vec<Case> {
    let kinds = FindingKind::ALL.iter().map(|&kind| {
        let failing: Vec<_> = result.failing().filter(|finding| finding.kind == kind).collect();
        let lines: Vec<_> = failing.iter().map(|finding| text::headline(finding)).collect();
        Case {
            class: "pintrace".into(),
            name: kind.as_str().into(),
            outcome: match failing.len() {
                0 => CaseOutcome::Passed,
                count => CaseOutcome::Failed {
                    message: format!("{count} found. {}", kind.help()),
                    body: lines.join("\n"),
                },
            },
        }
    });
    let reasons: Vec<_> = result
        .losses
        .iter()
        .map(|loss| format!("{} {}: {}", loss.name, loss.amount, loss.meaning))
        .collect();
    let complete = Case {
        class: "pintrace".into(),
        name: "loss".into(),
        outcome: match (reasons.is_empty(), result.loss_fails()) {
            (true, _) => CaseOutcome::Passed,
            (false, true) => CaseOutcome::Failed {
                message: "Something was lost, so that findings may be missing.".into(),
                body: reasons.join("\n"),
            },
            (false, false) => CaseOutcome::Skipped {
                message: format!("allowed: {}", reasons.join(" ")),
            },
        },
    };
    let findings = result.findings.iter().map(|ruled| Case {
        class: format!("pintrace.{}", ruled.finding.kind),
        name: text::headline(ruled.finding),
        outcome: match ruled.ruling {
            Ruling::Fails => CaseOutcome::Failed {
                message: ruled.finding.explanation.into(),
                body: text::details(ruled.finding, result).join("\n"),
            },
            Ruling::Allowed(entry) => CaseOutcome::Skipped {
                message: format!("allowed: {} ({})", printable(&entry.reason), entry.location),
            },
            Ruling::Noted => CaseOutcome::Passed,
        },
    });
    kinds.chain([complete]).chain(findings).collect()
}

fn write(writer: &mut Writer<Vec<u8>>, case: &Case) -> io::Result<()> {
    let (class, name) = (valid(&case.class), valid(&case.name));
    let element = writer
        .create_element("testcase")
        .with_attributes([("classname", class.as_str()), ("name", &name)]);
    match &case.outcome {
        CaseOutcome::Passed => element.write_empty()?,
        CaseOutcome::Failed { message, body } => element.write_inner_content(|writer| {
            let message = valid(message);
            writer
                .create_element("failure")
                .with_attribute(("message", message.as_str()))
                .write_text_content(BytesText::new(&valid(body)))?;
            Ok(())
        })?,
        CaseOutcome::Skipped { message } => element.write_inner_content(|writer| {
            let message = valid(message);
            writer
                .create_element("skipped")
                .with_attribute(("message", message.as_str()))
                .write_empty()?;
            Ok(())
        })?,
    };
    Ok(())
}

/// XML 1.0 has no way to say these at all, not even escaped.
fn valid(text: &str) -> String {
    let forbidden = |one: char| matches!(one, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    text.replace(forbidden, "\u{fffd}")
}
