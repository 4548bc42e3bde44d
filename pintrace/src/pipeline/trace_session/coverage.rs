//! The missing hooks, for the header of the stream.

use pintrace_events::MissingHook;
use pintrace_kernel::kallsyms::Kallsyms;
use pintrace_probes::outcome::{HookOutcome, HookStatus};
use pintrace_source::test_pins::TestPins;

/// Returns the functions that could not be hooked and that no attached substitute replaces.
pub(super) fn missing(outcomes: &[HookOutcome]) -> Vec<MissingHook> {
    let has_substitute = |function: &str| {
        outcomes
            .iter()
            .any(|outcome| outcome.hook.stands_in_for == Some(function) && outcome.candidate().is_some())
    };
    outcomes
        .iter()
        .filter(|outcome| !has_substitute(outcome.hook.function))
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

/// Returns the paths whose test pins did not reach a hook.
pub(super) fn unseen_paths(tests: &[TestPins]) -> impl Iterator<Item = MissingHook> {
    tests.iter().filter_map(|test| {
        Some(MissingHook {
            function: String::new(),
            why: test.figures.text(),
            lost: test.outcome.lost(test.path)?,
        })
    })
}

/// Returns what is lost if kallsyms hides the addresses of kernel functions.
pub(super) fn hidden_symbols(symbols: &Kallsyms) -> Option<MissingHook> {
    (!symbols.has_addresses()).then(|| MissingHook {
        function: "kallsyms".to_owned(),
        why: "kernel addresses are hidden: kernel.kptr_restrict is 2, or CAP_SYSLOG is missing".to_owned(),
        lost: "the names of subsystems and of functions in stacks; udmabufs as holders; the kind of code that releases"
            .to_owned(),
    })
}

/// Returns the reason why no hook looks for findings; empty if a finding hook is attached or waits.
pub(super) fn without_findings(outcomes: &[HookOutcome], wanted: bool) -> String {
    if !wanted {
        return "--no-findings".to_owned();
    }
    let mut finding_hooks = outcomes.iter().filter(|outcome| outcome.hook.is_for_findings());
    let mut first = String::new();
    let attached = finding_hooks.any(|outcome| match &outcome.status {
        HookStatus::Attached(_) | HookStatus::Waiting(_) => true,
        HookStatus::Missing(why) if first.is_empty() => {
            first.clone_from(why);
            false
        }
        _ => false,
    });
    match (attached, first.is_empty()) {
        (true, _) => String::new(),
        (false, true) => "the kernel has no such function".to_owned(),
        (false, false) => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_kernel_addresses_are_a_loss() {
        assert_eq!(
            hidden_symbols(&Kallsyms::parse("ffffffff81000000 T start\n")),
            None
        );
        let hidden = hidden_symbols(&Kallsyms::parse("0000000000000000 T start\n")).unwrap();
        assert!(hidden.why.contains("kptr_restrict"), "{}", hidden.why);
    }
    use pintrace_model::finding::FindingKind;
    use pintrace_probes::table::{HOOKS, Hook};
    use pintrace_source::test_pins::{Figures, Outcome, Path};

    /// Returns an outcome for each hook: `finding_hooks` gives the status of finding hooks, and all other hooks are
    /// attached.
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
    fn a_path_whose_releases_reach_no_hook_is_named_with_the_figures() {
        let test = |outcome| TestPins {
            path: Path::ProcessVm,
            figures: Figures {
                expected: 4,
                acquired: 4,
                released: 0,
            },
            outcome,
            took: std::time::Duration::ZERO,
        };
        let tests = [
            test(Outcome::Seen),
            test(Outcome::ReleaseNotSeen),
            test(Outcome::Skipped("io_uring_setup: refused".to_owned())),
        ];
        let unseen: Vec<_> = unseen_paths(&tests).collect();
        let [unseen] = unseen.as_slice() else {
            panic!("{unseen:?}")
        };
        assert_eq!(
            format!("{} ({})", unseen.lost, unseen.reason()),
            "releases by process_vm_readv do not reach a hook on this kernel: such pins are shown although they are gone \
             (pages pinned and released: 4; the hooks saw 4 pinned, 0 released)"
        );
    }

    #[test]
    fn each_purpose_that_a_finding_needs_has_a_hook() {
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
    fn the_reason_for_missing_finding_hooks_is_given() {
        let refused = outcomes(|at| HookStatus::Missing(format!("refusal {at}")));
        assert!(without_findings(&refused, true).starts_with("refusal "));
        assert_eq!(
            without_findings(&outcomes(|_| HookStatus::NotHere), true),
            "the kernel has no such function"
        );
        assert_eq!(without_findings(&[], false), "--no-findings");
        let some = outcomes(|at| match at % 2 {
            0 => HookStatus::Attached(&HOOKS[at].candidates[0]),
            _ => HookStatus::Missing("refusal".to_owned()),
        });
        assert_eq!(without_findings(&some, true), "");
    }
}
