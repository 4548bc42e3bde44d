//! The functions that have no program, for the header of the stream.

use pintrace_events::MissingHook;
use pintrace_probes::apply::{HookOutcome, HookStatus};

/// Functions that have no program, and that no other hook stands in for.
pub(super) fn missing(outcomes: &[HookOutcome]) -> Vec<MissingHook> {
    let stood_in_for = |function: &str| {
        outcomes.iter().any(|outcome| {
            outcome.hook.stands_in_for == Some(function) && matches!(outcome.status, HookStatus::Attached(_))
        })
    };
    outcomes
        .iter()
        .filter(|outcome| !stood_in_for(outcome.hook.function))
        .filter_map(|outcome| match &outcome.status {
            HookStatus::Missing(why) => Some(MissingHook {
                function: outcome.hook.function.to_owned(),
                why: why.clone(),
                lost: outcome.hook.lost.to_owned(),
            }),
            _ => None,
        })
        .collect()
}

/// Why nothing looks for findings; empty if something does.
pub(super) fn without_findings(outcomes: &[HookOutcome], wanted: bool) -> String {
    if !wanted {
        return "--no-findings".to_owned();
    }
    let mut finding_hooks = outcomes.iter().filter(|outcome| outcome.hook.is_for_findings());
    let mut first = String::new();
    let attached = finding_hooks.any(|outcome| match &outcome.status {
        HookStatus::Attached(_) => true,
        HookStatus::Missing(why) if first.is_empty() => {
            first.clone_from(why);
            false
        }
        _ => false,
    });
    match (attached, first.is_empty()) {
        (true, _) => String::new(),
        (false, true) => "it has none of the functions".to_owned(),
        (false, false) => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pintrace_model::finding::FindingKind;
    use pintrace_probes::table::{HOOKS, Hook};

    /// Every hook, with a status that depends on whether it looks for findings.
    fn outcomes(finding_hooks: impl Fn(usize) -> HookStatus) -> Vec<HookOutcome> {
        let status = |(at, hook): (usize, &'static Hook)| HookOutcome {
            hook,
            status: if hook.is_for_findings() {
                finding_hooks(at)
            } else {
                HookStatus::Attached(&hook.candidates[0])
            },
            has_backups: false,
            refused: Vec::new(),
        };
        HOOKS.iter().enumerate().map(status).collect()
    }

    #[test]
    fn every_purpose_that_a_finding_needs_is_a_hooks_purpose() {
        let covered: Vec<&str> = HOOKS
            .iter()
            .flat_map(|hook| hook.purposes)
            .map(|purpose| purpose.as_str())
            .collect();
        for purpose in FindingKind::ALL.iter().flat_map(|kind| kind.needs()) {
            assert!(covered.contains(purpose), "{purpose}");
        }
    }

    #[test]
    fn it_is_said_why_nothing_looks_for_findings() {
        let refused = outcomes(|at| HookStatus::Missing(format!("refusal {at}")));
        assert!(without_findings(&refused, true).starts_with("refusal "));
        assert_eq!(
            without_findings(&outcomes(|_| HookStatus::NotHere), true),
            "it has none of the functions"
        );
        assert_eq!(without_findings(&[], false), "--no-findings");
        let some = outcomes(|at| match at % 2 {
            0 => HookStatus::Attached(&HOOKS[at].candidates[0]),
            _ => HookStatus::Missing("refusal".to_owned()),
        });
        assert_eq!(without_findings(&some, true), "");
    }
}
