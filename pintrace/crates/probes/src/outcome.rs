//! The outcome of each hook: attached, waiting, or why not.

use super::table::{Attachment, Candidate, Hook, Method, Purpose};

/// The outcome of one hook.
#[derive(Clone, Debug)]
pub struct HookOutcome {
    /// The hook.
    pub hook: &'static Hook,
    /// Status after the attempt.
    pub status: HookStatus,
    /// Backup programs are attached as well.
    pub has_backups: bool,
    /// Why earlier candidates were refused, in order.
    pub refused: Vec<String>,
}

/// The status of one hook.
#[derive(Clone, Debug)]
pub enum HookStatus {
    /// This candidate is attached.
    Attached(&'static Candidate),
    /// This candidate is loaded, and is attached once memory is pinned ([`Hook::waits_for`]).
    Waiting(&'static Candidate),
    /// The kernel has no such function.
    NotHere,
    /// The hook that this hook stands in for is attached, or another hook sees the same events on this kernel.
    NotNeeded,
    /// The hook was detached to keep within the budget.
    Shed,
    /// The function exists, and nothing could be attached to it, for this reason.
    Missing(String),
}

impl HookOutcome {
    /// Returns the candidate that is attached or waits; `None` for a hook without one.
    #[must_use]
    pub const fn candidate(&self) -> Option<&'static Candidate> {
        match self.status {
            HookStatus::Attached(candidate) | HookStatus::Waiting(candidate) => Some(candidate),
            HookStatus::NotHere | HookStatus::NotNeeded | HookStatus::Shed | HookStatus::Missing(_) => None,
        }
    }

    /// Returns true if the hook is attached.
    #[must_use]
    pub const fn is_attached(&self) -> bool {
        matches!(self.status, HookStatus::Attached(_))
    }

    /// Returns the outcome of a hook that was not tried.
    pub(super) const fn without(hook: &'static Hook, status: HookStatus) -> Self {
        Self {
            hook,
            status,
            has_backups: false,
            refused: Vec::new(),
        }
    }
}

/// Returns true if at least one hook sees pins and one hook sees releases. Otherwise nothing can be traced.
pub fn sees_pins(outcomes: &[HookOutcome]) -> bool {
    [Purpose::Acquire, Purpose::Release].into_iter().all(|purpose| {
        outcomes
            .iter()
            .any(|outcome| outcome.hook.purposes.contains(&purpose) && outcome.is_attached())
    })
}

/// Returns the attached programs with their hooks, without backup programs.
pub fn attachments(outcomes: &[HookOutcome]) -> impl Iterator<Item = (&'static Hook, &'static Attachment)> {
    programs(outcomes.iter().filter(|outcome| outcome.is_attached()))
}

/// Returns the programs that are attached or wait, with their hooks, without backup programs.
pub fn loaded(outcomes: &[HookOutcome]) -> impl Iterator<Item = (&'static Hook, &'static Attachment)> {
    programs(outcomes.iter())
}

fn programs<'o>(
    outcomes: impl Iterator<Item = &'o HookOutcome>,
) -> impl Iterator<Item = (&'static Hook, &'static Attachment)> {
    outcomes.flat_map(|outcome| {
        let attachments = outcome
            .candidate()
            .map_or(&[][..], |candidate| candidate.attachments);
        attachments.iter().map(|attachment| (outcome.hook, attachment))
    })
}

/// Returns the purpose of an attachment: the second purpose for the entry program of a ledger hook with two purposes,
/// which marks retries; else the first purpose.
pub fn purpose_of(hook: &Hook, attachment: &Attachment) -> Purpose {
    match (hook.purposes, attachment.method) {
        ([first, ..], _) if first.is_for_findings() => *first,
        ([_, second, ..], Method::Fentry) => *second,
        (all, _) => all.first().copied().unwrap_or(Purpose::Acquire),
    }
}
