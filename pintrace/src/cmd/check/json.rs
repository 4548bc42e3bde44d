//! The report as one JSON object.

use serde::Serialize;

use pintrace_export::json_findings::FindingKeys;

use super::verdict::{Judged, Ruling, Verdict};

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    passed: bool,
    command: &'a [String],
    /// `null` if the command did not end.
    command_exit_code: Option<i32>,
    kernel: &'a str,
    findings: Vec<RuledKeys<'a>>,
    losses: Vec<LossKeys>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct RuledKeys<'a> {
    /// `fails`, `allowed` or `listed`.
    ruling: &'static str,
    /// Of the allow file; `null` where it does not speak.
    reason: Option<&'a str>,
    allowed_at: Option<&'a str>,
    #[serde(flatten)]
    finding: FindingKeys<'a>,
}

#[derive(Serialize)]
struct LossKeys {
    name: &'static str,
    amount: i128,
    fails: bool,
    meaning: &'static str,
}

/// With a line end.
pub(super) fn render(verdict: &Verdict<'_>) -> serde_json::Result<String> {
    let start = verdict.start();
    let ruled = |judged: &Judged<'_>| matches!(judged.ruling, Ruling::Fails);
    let findings = verdict.findings.iter().map(|judged| {
        let entry = match judged.ruling {
            Ruling::Allowed(entry) => Some(entry),
            Ruling::Fails | Ruling::Noted => None,
        };
        RuledKeys {
            ruling: match entry {
                Some(_) => "allowed",
                None if ruled(judged) => "fails",
                None => "listed",
            },
            reason: entry.map(|entry| entry.reason.as_str()),
            allowed_at: entry.map(|entry| entry.place.as_str()),
            finding: FindingKeys::new(judged.finding, start),
        }
    });
    let losses = verdict.losses.iter().map(|loss| LossKeys {
        name: loss.name,
        amount: loss.amount,
        fails: !verdict.allow_loss,
        meaning: loss.meaning,
    });
    let report = Report {
        version: 1,
        passed: verdict.passed(),
        command: &verdict.snapshot.started.command,
        command_exit_code: verdict.exit_code(),
        kernel: &verdict.snapshot.started.kernel,
        findings: findings.collect(),
        losses: losses.collect(),
        warnings: &verdict.warnings,
    };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}
