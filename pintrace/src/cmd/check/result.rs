//! The result of a check: the findings that fail the check, the losses, and the warnings.

use pintrace_events::units::Nanos;
use pintrace_export::not_seen::not_seen;
use pintrace_model::finding::{Finding, FindingKind, Severity};
use pintrace_model::snapshot::Snapshot;

use super::allow::{AllowEntry, AllowFile};
use super::losses::{LossEntry, losses};

/// The rules by which findings and losses fail a check.
pub(super) struct CheckRules<'a> {
    /// Kinds of findings that fail the check; if empty, each hazard and alarm fails the check.
    pub(super) fail_on: &'a [FindingKind],
    /// Findings that do not fail the check.
    pub(super) allowed: &'a AllowFile,
    /// Loss does not fail the check.
    pub(super) allow_loss: bool,
}

/// The effect of a finding on the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling<'a> {
    /// The finding fails the check.
    Fails,
    /// An entry of the allow file matches the finding.
    Allowed(&'a AllowEntry),
    /// The finding is listed and does not fail the check.
    Noted,
}

/// A finding with its ruling.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuledFinding<'a> {
    pub(super) finding: &'a Finding,
    pub(super) ruling: Ruling<'a>,
}

/// The result of a check.
pub(super) struct CheckResult<'a> {
    /// The model at the end of the session.
    pub(super) snapshot: &'a Snapshot,
    /// All findings, the most severe first, as in the snapshot.
    pub(super) findings: Vec<RuledFinding<'a>>,
    /// Losses because of which a finding may be missing.
    pub(super) losses: Vec<LossEntry>,
    /// Loss does not fail the check.
    pub(super) allow_loss: bool,
    /// Allow entries without effect, missing hooks, counters that cannot be read.
    pub(super) warnings: Vec<String>,
}

impl<'a> CheckResult<'a> {
    /// Applies the rules to a snapshot.
    pub(super) fn reach(snapshot: &'a Snapshot, rules: &CheckRules<'a>) -> Self {
        let findings = snapshot.findings.iter().map(|finding| RuledFinding {
            finding,
            ruling: ruling(finding, snapshot.time, rules),
        });
        Self {
            snapshot,
            findings: findings.collect(),
            losses: losses(snapshot),
            allow_loss: rules.allow_loss,
            warnings: warnings(snapshot, rules.allowed),
        }
    }

    /// Returns true if no finding and no loss fails the check.
    pub(super) fn passed(&self) -> bool {
        !self.loss_fails() && self.failing().next().is_none()
    }

    /// Returns true if a loss fails the check.
    pub(super) fn loss_fails(&self) -> bool {
        !self.allow_loss && !self.losses.is_empty()
    }

    /// Returns the findings that fail the check.
    pub(super) fn failing(&self) -> impl Iterator<Item = &'a Finding> {
        let failing = self.findings.iter().filter(|ruled| ruled.ruling == Ruling::Fails);
        failing.map(|ruled| ruled.finding)
    }

    /// Returns the time at which counting began.
    pub(super) fn start(&self) -> Nanos {
        self.snapshot.time.since(self.snapshot.duration)
    }

    /// Returns the exit code of the command; `None` if the command did not end.
    pub(super) fn exit_code(&self) -> Option<i32> {
        self.snapshot.ending.as_ref().and_then(|ending| ending.exit_code)
    }
}

fn ruling<'a>(finding: &Finding, now: Nanos, rules: &CheckRules<'a>) -> Ruling<'a> {
    let mut entries = rules.allowed.entries.iter();
    if let Some(entry) = entries.find(|entry| entry.matches(finding, now)) {
        return Ruling::Allowed(entry);
    }
    let fails = if rules.fail_on.is_empty() {
        finding.severity > Severity::Note
    } else {
        rules.fail_on.contains(&finding.kind)
    };
    if finding.certain && fails {
        Ruling::Fails
    } else {
        Ruling::Noted
    }
}

fn warnings(snapshot: &Snapshot, allowed: &AllowFile) -> Vec<String> {
    let now = snapshot.time;
    let unused = |entry: &&AllowEntry| {
        !snapshot
            .findings
            .iter()
            .any(|finding| entry.matches(finding, now))
    };
    let unused = allowed
        .entries
        .iter()
        .filter(unused)
        .map(|entry| format!("{}: matches no finding: {}", entry.location, entry.reason));
    let not_seen = not_seen(&snapshot.started.missing).into_iter();
    let missing = not_seen.map(|text| format!("not seen: {text}"));
    let unread = (!snapshot.balance.vmstat_readable).then(|| {
        "the pin counters of /proc/vmstat cannot be read, so the ledger was not compared with vmstat"
            .to_owned()
    });
    unused.chain(missing).chain(unread).collect()
}
