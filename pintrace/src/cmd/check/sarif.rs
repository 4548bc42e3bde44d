//! Renders the report of a check as SARIF 2.1.0. A finding has no source file: a location is the kernel function that
//! pinned the pages, or the kernel function that changed the mapping of pinned pages.

use serde::Serialize;

use pintrace_model::finding::{Finding, FindingKind, Severity};

use super::result::{CheckResult, RuledFinding, Ruling};
use super::text;

#[derive(Serialize)]
struct SarifLog {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [SarifRun; 1],
}

#[derive(Serialize)]
struct SarifRun {
    tool: Tool,
    invocations: [Invocation; 1],
    results: Vec<SarifResult>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<SarifRule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifRule {
    id: &'static str,
    short_description: Message,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    occurrence_count: u64,
    locations: Vec<SarifLocation>,
    /// Empty for a finding that is not suppressed.
    suppressions: Vec<Suppression>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifLocation {
    logical_locations: [LogicalLocation; 1],
    message: Message,
}

#[derive(Serialize)]
struct LogicalLocation {
    name: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    justification: String,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

/// Returns the report, with a line end.
pub(super) fn render(result: &CheckResult<'_>) -> serde_json::Result<String> {
    let rules = FindingKind::ALL.iter().map(|kind| SarifRule {
        id: kind.as_str(),
        short_description: message(kind.help()),
    });
    let driver = Driver {
        name: "pintrace",
        version: env!("CARGO_PKG_VERSION"),
        rules: rules.collect(),
    };
    let lost = result.losses.iter().map(|loss| Notification {
        level: if result.allow_loss { "warning" } else { "error" },
        message: message(format!("{} {}: {}", loss.name, loss.amount, loss.meaning)),
    });
    let warnings = result.warnings.iter().map(|warning| Notification {
        level: "warning",
        message: message(warning),
    });
    let log = SarifLog {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [SarifRun {
            tool: Tool { driver },
            invocations: [Invocation {
                execution_successful: !result.loss_fails(),
                tool_execution_notifications: lost.chain(warnings).collect(),
            }],
            results: result
                .findings
                .iter()
                .map(|ruled| sarif_result(ruled, result))
                .collect(),
        }],
    };
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

fn sarif_result(ruled: &RuledFinding<'_>, result: &CheckResult<'_>) -> SarifResult {
    let finding = ruled.finding;
    let suppression = match ruled.ruling {
        Ruling::Allowed(entry) => Some(Suppression {
            kind: "external",
            justification: format!("{} ({})", entry.reason, entry.location),
        }),
        Ruling::Fails | Ruling::Noted => None,
    };
    let details = text::details(finding, result).join("\n");
    let position = FindingKind::ALL.iter().position(|kind| *kind == finding.kind);
    SarifResult {
        rule_id: finding.kind.as_str(),
        rule_index: position.unwrap_or_default(),
        level: match (ruled.ruling, finding.severity) {
            (Ruling::Fails, _) => "error",
            (_, Severity::Note) => "note",
            (_, Severity::Hazard | Severity::Alarm) => "warning",
        },
        message: message(format!("{}\n{details}", text::headline(finding))),
        occurrence_count: finding.count.max(1),
        locations: locations(finding),
        suppressions: suppression.into_iter().collect(),
    }
}

/// Returns the innermost frame of the stack of the trigger and of the stack of the pin.
fn locations(finding: &Finding) -> Vec<SarifLocation> {
    let trigger = finding
        .trigger
        .as_ref()
        .map(|trigger| ("changed here", &trigger.stack));
    let pin = finding.pin.as_ref().map(|pin| ("pinned here", &pin.stack));
    let frames = [trigger, pin].into_iter().flatten();
    let frames = frames.filter_map(|(what, stack)| Some((what, stack.first()?)));
    let located = frames.map(|(what, frame)| SarifLocation {
        logical_locations: [LogicalLocation {
            name: frame.split('+').next().unwrap_or(frame).to_owned(),
            kind: "function",
        }],
        message: message(what),
    });
    located.collect()
}

fn message(text: impl Into<String>) -> Message {
    Message { text: text.into() }
}
