//! Renders the outcome of each hook as a line of the report.

use serde::Serialize;

use pintrace_probes::outcome::{HookOutcome, HookStatus};
use pintrace_probes::plan::{PlanChoice, PlannedHook};
use pintrace_probes::table::{Candidate, Hook};

/// A hook and its outcome.
#[derive(Debug, Serialize)]
pub(super) struct HookLine {
    pub(super) function: &'static str,
    pub(super) purposes: Vec<&'static str>,
    /// `attached`, `not_needed`, `planned`, `absent` or `missing`.
    pub(super) status: &'static str,
    pub(super) methods: Vec<&'static str>,
    /// Backup programs are attached as well.
    pub(super) has_backups: bool,
    /// Why the hook is missing, or why a better method was refused.
    pub(super) why: String,
    /// The events that are not seen for that reason.
    pub(super) lost: &'static str,
}

impl HookLine {
    /// Returns true if events are lost because the hook is missing.
    pub(super) fn is_missing(&self) -> bool {
        self.status == "missing"
    }
}

/// Returns the line of a hook that was tried.
pub(super) fn tried(outcome: &HookOutcome) -> HookLine {
    match &outcome.status {
        HookStatus::Attached(candidate) | HookStatus::Waiting(candidate) => {
            let why = outcome.refused.join("; ");
            HookLine {
                has_backups: outcome.has_backups,
                ..line(outcome.hook, "attached", Some(candidate), why, candidate.lost)
            }
        }
        HookStatus::NotNeeded | HookStatus::Shed => line(outcome.hook, "not_needed", None, String::new(), ""),
        HookStatus::NotHere => line(outcome.hook, "absent", None, String::new(), ""),
        HookStatus::Missing(why) => line(outcome.hook, "missing", None, why.clone(), outcome.hook.lost),
    }
}

/// Returns the line of a hook that was planned and not tried.
pub(super) fn planned(planned: PlannedHook) -> HookLine {
    let hook = planned.hook;
    match planned.choice {
        PlanChoice::NotHere => line(hook, "absent", None, String::new(), ""),
        PlanChoice::NotNeeded => line(hook, "not_needed", None, String::new(), ""),
        PlanChoice::Missing(why) => line(hook, "missing", None, why, hook.lost),
        PlanChoice::Try(candidates) => line(hook, "planned", candidates.first().copied(), String::new(), ""),
    }
}

fn line(
    hook: &'static Hook,
    status: &'static str,
    candidate: Option<&Candidate>,
    why: String,
    lost: &'static str,
) -> HookLine {
    let methods = candidate
        .map(|candidate| candidate.attachments)
        .unwrap_or_default();
    HookLine {
        function: hook.function,
        purposes: hook.purposes.iter().map(|purpose| purpose.as_str()).collect(),
        status,
        methods: methods
            .iter()
            .map(|attachment| attachment.method.as_str())
            .collect(),
        has_backups: false,
        why,
        lost,
    }
}
