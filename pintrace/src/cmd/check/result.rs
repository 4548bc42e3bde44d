//! Whether it passes: which findings fail, what was lost, and what is to be known beside that.

use pintrace_common::counters;

use pintrace_events::MissingHook;
use pintrace_events::units::Nanos;
use pintrace_model::finding::{Finding, FindingKind, Severity};
use pintrace_model::snapshot::Snapshot;
use pintrace_probes::table::{HOOKS, Purpose};

use super::allow::{AllowEntry, AllowFile};

/// What decides.
pub(super) struct CheckRules<'a> {
    /// Kinds that fail; empty: whatever is worse than a note.
    pub(super) fail_on: &'a [FindingKind],
    /// What does not fail.
    pub(super) allowed: &'a AllowFile,
    /// Loss does not fail.
    pub(super) allow_loss: bool,
}

/// What becomes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling<'a> {
    /// The check fails for it.
    Fails,
    /// It is in the allow file.
    Allowed(&'a AllowEntry),
    /// It is listed.
    Noted,
}

/// A finding with its ruling.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuledFinding<'a> {
    pub(super) finding: &'a Finding,
    pub(super) ruling: Ruling<'a>,
}

/// Something that a finding may be missing for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LossEntry {
    /// A loss counter, or `unaccounted`, `unapplied_events`, `findings_dropped`.
    pub(super) name: &'static str,
    /// How much.
    pub(super) amount: i128,
    /// What it means, in a sentence.
    pub(super) meaning: &'static str,
}

/// The outcome.
pub(super) struct CheckResult<'a> {
    /// Of what.
    pub(super) snapshot: &'a Snapshot,
    /// Worst first, as in the snapshot.
    pub(super) findings: Vec<RuledFinding<'a>>,
    /// What was lost.
    pub(super) losses: Vec<LossEntry>,
    /// Loss does not fail.
    pub(super) allow_loss: bool,
    /// What to know beside that.
    pub(super) warnings: Vec<String>,
}

/// Names and stacks that are lost falsify no figure and hide no finding.
const HARMLESS: [counters::Loss; 2] = [counters::Loss::NameUnread, counters::Loss::StackLost];

impl<'a> CheckResult<'a> {
    /// Judges what has been found.
    pub(super) fn reach(snapshot: &'a Snapshot, rules: &CheckRules<'a>) -> Self {
        let findings = snapshot.findings.iter().map(|finding| RuledFinding {
            finding,
            ruling: ruling(finding, rules),
        });
        Self {
            snapshot,
            findings: findings.collect(),
            losses: losses(snapshot),
            allow_loss: rules.allow_loss,
            warnings: warnings(snapshot, rules.allowed),
        }
    }

    /// Whether nothing fails.
    pub(super) fn passed(&self) -> bool {
        !self.loss_fails() && self.failing().next().is_none()
    }

    /// Whether something was lost, and that is not allowed.
    pub(super) fn loss_fails(&self) -> bool {
        !self.allow_loss && !self.losses.is_empty()
    }

    /// The findings that fail.
    pub(super) fn failing(&self) -> impl Iterator<Item = &'a Finding> {
        let failing = self.findings.iter().filter(|ruled| ruled.ruling == Ruling::Fails);
        failing.map(|ruled| ruled.finding)
    }

    /// When counting began.
    pub(super) fn start(&self) -> Nanos {
        self.snapshot.time.since(self.snapshot.duration)
    }

    /// What the command ended with.
    pub(super) fn exit_code(&self) -> Option<i32> {
        self.snapshot.ending.as_ref().and_then(|ending| ending.exit_code)
    }
}

fn ruling<'a>(finding: &Finding, rules: &CheckRules<'a>) -> Ruling<'a> {
    let mut entries = rules.allowed.entries.iter();
    if let Some(entry) = entries.find(|entry| entry.matches(finding)) {
        return Ruling::Allowed(entry);
    }
    let fails = if rules.fail_on.is_empty() {
        finding.severity > Severity::Note
    } else {
        finding.certain && rules.fail_on.contains(&finding.kind)
    };
    if fails { Ruling::Fails } else { Ruling::Noted }
}

fn losses(snapshot: &Snapshot) -> Vec<LossEntry> {
    let harmless = |name: &str| HARMLESS.iter().any(|loss| loss.name() == name);
    let help = |name: &str| counters::Loss::ALL.iter().find(|loss| loss.name() == name);
    let counted = snapshot.loss.iter().filter(|(name, _)| !harmless(name));
    let counted = counted.map(|&(name, count)| LossEntry {
        name,
        amount: count.into(),
        meaning: help(name).map_or("For a reason unknown to this version.", |loss| loss.help()),
    });
    let balance = &snapshot.balance;
    let own = [
        LossEntry {
            name: "unaccounted",
            // Without vmstat it means nothing.
            amount: i128::from(balance.unaccounted) * i128::from(balance.vmstat_readable),
            meaning: if balance.unaccounted < 0 {
                "Pages that the kernel's vmstat counters have fewer of than was seen: releases went unseen."
            } else {
                "Pages that the kernel's vmstat counters have more of than was seen: somebody pinned unseen."
            },
        },
        LossEntry {
            name: "not_hooked",
            amount: snapshot
                .started
                .missing
                .iter()
                .filter(|missing| hides(missing))
                .count() as i128,
            meaning: "Kernel functions that could not be hooked: what goes through them is not seen (see the warnings).",
        },
        LossEntry {
            name: "unapplied_events",
            amount: snapshot.unapplied_events.into(),
            meaning: "Events that the model had no place for.",
        },
        LossEntry {
            name: "findings_dropped",
            amount: snapshot.findings_dropped.into(),
            meaning: "Findings that found no room, or gave way to a worse one.",
        },
    ];
    let mut losses: Vec<_> = counted.chain(own).collect();
    losses.retain(|loss| loss.amount != 0);
    losses
}

/// Whether something may go unseen that a finding is made of. What tells retries apart only makes figures exact, which
/// `unaccounted` shows.
fn hides(missing: &MissingHook) -> bool {
    HOOKS
        .iter()
        .filter(|hook| hook.function == missing.function)
        .any(|hook| hook.purposes.iter().any(|&purpose| purpose != Purpose::Retry))
}

fn warnings(snapshot: &Snapshot, allowed: &AllowFile) -> Vec<String> {
    let unused = |entry: &&AllowEntry| !snapshot.findings.iter().any(|finding| entry.matches(finding));
    let unused = allowed.entries.iter().filter(unused).map(|entry| {
        format!(
            "{}: allows nothing that was found: {}",
            entry.location, entry.reason
        )
    });
    let missing = snapshot
        .started
        .missing
        .iter()
        .map(|MissingHook { function, why, lost }| {
            format!("not seen: {lost} ({function} could not be hooked: {why})")
        });
    let vmstat = (!snapshot.balance.vmstat_readable).then(|| {
        "the kernel's vmstat counters cannot be read, so nothing was checked against them".to_owned()
    });
    unused.chain(missing).chain(vmstat).collect()
}
