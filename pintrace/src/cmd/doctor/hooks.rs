//! What became of each hook, as a line of the page.

use serde::Serialize;

use pintrace_probes::apply::{Outcome, Status};
use pintrace_probes::plan::{Choice, Line};
use pintrace_probes::table::{Candidate, Hook};

/// One hook.
#[derive(Debug, Serialize)]
pub(super) struct HookLine {
    pub(super) function: &'static str,
    pub(super) purposes: Vec<&'static str>,
    /// `attached`, `spare`, `planned`, `absent` or `missing`.
    pub(super) status: &'static str,
    pub(super) methods: Vec<&'static str>,
    /// Second copies are attached as well.
    pub(super) twice: bool,
    /// Why it is missing, or why a better way was refused.
    pub(super) why: String,
    /// What is lost by it.
    pub(super) lost: &'static str,
}

/// What was really tried.
pub(super) fn tried(outcome: &Outcome) -> HookLine {
    match &outcome.status {
        Status::Attached(candidate) => {
            let why = outcome.refused.join("; ");
            HookLine {
                twice: outcome.twice,
                ..line(outcome.hook, "attached", Some(candidate), why, candidate.lost)
            }
        }
        Status::NotNeeded => line(outcome.hook, "spare", None, String::new(), ""),
        Status::NotHere => line(outcome.hook, "absent", None, String::new(), ""),
        Status::Missing(why) => line(outcome.hook, "missing", None, why.clone(), outcome.hook.lost),
    }
}

/// What would be tried.
pub(super) fn planned(line_of_plan: Line) -> HookLine {
    let hook = line_of_plan.hook;
    match line_of_plan.choice {
        Choice::NotHere => line(hook, "absent", None, String::new(), ""),
        Choice::Spare => line(hook, "spare", None, String::new(), ""),
        Choice::Missing(why) => line(hook, "missing", None, why, hook.lost),
        Choice::Try(candidates) => line(hook, "planned", candidates.first().copied(), String::new(), ""),
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
        twice: false,
        why,
        lost,
    }
}
