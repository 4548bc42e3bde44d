//! Renders the report of a check as one JSON object.

use serde::Serialize;

use pintrace_export::SCHEMA;
use pintrace_export::json_findings::FindingKeys;

use super::result::{CheckResult, RuledFinding, Ruling};

#[derive(Serialize)]
struct CheckDocument<'a> {
    schema: u32,
    passed: bool,
    command: &'a [String],
    /// `null` if the command did not end.
    command_exit_code: Option<i32>,
    kernel: &'a str,
    findings: Vec<RuledKeys<'a>>,
    losses: Vec<LossKeys<'a>>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct RuledKeys<'a> {
    /// `fails`, `allowed` or `listed`.
    ruling: &'static str,
    /// The reason in the allow file; `null` for a finding that the allow file does not name.
    reason: Option<&'a str>,
    allowed_at: Option<&'a str>,
    #[serde(flatten)]
    finding: FindingKeys<'a>,
}

#[derive(Serialize)]
struct LossKeys<'a> {
    name: &'static str,
    amount: i128,
    fails: bool,
    meaning: &'a str,
}

/// Returns the report, with a line end.
pub(super) fn render(result: &CheckResult<'_>) -> serde_json::Result<String> {
    let start = result.start();
    let findings = result.findings.iter().map(|RuledFinding { finding, ruling }| {
        let (ruling, entry) = match ruling {
            Ruling::Fails => ("fails", None),
            Ruling::Allowed(entry) => ("allowed", Some(entry)),
            Ruling::Noted => ("listed", None),
        };
        RuledKeys {
            ruling,
            reason: entry.map(|entry| entry.reason.as_str()),
            allowed_at: entry.map(|entry| entry.location.as_str()),
            finding: FindingKeys::new(finding, start),
        }
    });
    let losses = result.losses.iter().map(|loss| LossKeys {
        name: loss.name,
        amount: loss.amount,
        fails: !result.allow_loss,
        meaning: &loss.meaning,
    });
    let document = CheckDocument {
        schema: SCHEMA,
        passed: result.passed(),
        command: &result.snapshot.started.command,
        command_exit_code: result.exit_code(),
        kernel: &result.snapshot.started.kernel,
        findings: findings.collect(),
        losses: losses.collect(),
        warnings: &result.warnings,
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
