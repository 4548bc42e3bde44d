//! What serves each purpose, in order of preference, with the prototype that each hook relies on
//! and what is lost without it. The one place that names kernel functions to attach to.

pub use findings::{ONE_OF, OneOf};
pub use ledger::LONGTERM;

use findings::FINDING_HOOKS;
use ledger::LEDGER_HOOKS;

mod findings;
mod ledger;

/// Why something is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Sees pages being pinned.
    Acquire,
    /// Tells the kernel's own retries apart from releases.
    Retry,
    /// Sees pages being unpinned.
    Release,
    /// Sees processes end.
    Exit,
    /// Sees pages being copied on write.
    Copy,
    /// Sees fork copy pinned pages.
    Fork,
    /// Sees mappings being taken away, or address spaces.
    Mapping,
    /// Sees ranges being write-protected, and their flush.
    Window,
    /// Sees references being taken that are no pins.
    Reference,
}

impl Purpose {
    /// The name in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Retry => "retry",
            Self::Release => "release",
            Self::Exit => "exit",
            Self::Copy => "copy",
            Self::Fork => "fork",
            Self::Mapping => "mapping",
            Self::Window => "window",
            Self::Reference => "reference",
        }
    }

    /// Whether it serves the findings, and not the ledger.
    pub const fn is_for_findings(self) -> bool {
        matches!(
            self,
            Self::Copy | Self::Fork | Self::Mapping | Self::Window | Self::Reference
        )
    }
}

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A trampoline on entry.
    Fentry,
    /// A trampoline on return.
    Fexit,
    /// A breakpoint or ftrace call on entry.
    Kprobe,
    /// A hijacked return address.
    Kretprobe,
    /// A raw tracepoint.
    Tracepoint,
}

impl Method {
    /// The name in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Fexit => "fexit",
            Self::Kprobe => "kprobe",
            Self::Kretprobe => "kretprobe",
            Self::Tracepoint => "tracepoint",
        }
    }
}

/// One program to attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Name of the program in the eBPF object.
    pub program: &'static str,
    /// Programs that are attached to the same place where threads may be taken off their CPU inside it, in the
    /// order in which they run: its backup program, which counts what the kernel skips in the first; for pins,
    /// one that takes the stack.
    pub backups: &'static [&'static str],
    /// How.
    pub method: Method,
}

/// One way to serve a hook: all of these programs together.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Attached in this order.
    pub attachments: &'static [Attachment],
    /// What this way cannot do that the first one can; empty for the first.
    pub lost: &'static str,
}

/// One kernel function (or tracepoint) and what to do with it.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Kernel function, or tracepoint name.
    pub function: &'static str,
    /// Why.
    pub purposes: &'static [Purpose],
    /// Names of the first parameters, as the program reads them; [`ANY`] where it reads nothing. Empty for
    /// tracepoints.
    pub parameters: &'static [&'static str],
    /// Other prototypes that the program knows to read.
    pub or: &'static [&'static [&'static str]],
    /// Where it has another prototype, another hook sees the same.
    pub optional: bool,
    /// Ways to do it, best first.
    pub candidates: &'static [Candidate],
    /// Only needed if this other hook, further up in the table, is there and could not be attached.
    pub stands_in_for: Option<&'static str>,
    /// What is lost when the function exists and no way works.
    pub lost: &'static str,
}

impl Hook {
    /// Whether it serves the findings, and not the ledger.
    pub fn is_for_findings(&self) -> bool {
        self.purposes.iter().any(|purpose| purpose.is_for_findings())
    }
}

/// A parameter that no program reads, whatever its name.
pub const ANY: &str = "_";

/// A program that has a backup program, and perhaps other followers.
macro_rules! with_backup {
    ($program:expr, $method:ident $(, $backup:expr)?) => {
        Attachment {
            program: $program,
            backups: &[concat!($program, "_backup") $(, $backup)?],
            method: Method::$method,
        }
    };
}

/// A program that has no followers.
const fn without_backup(program: &'static str, method: Method) -> Attachment {
    Attachment {
        program,
        backups: &[],
        method,
    }
}

use with_backup;

/// Every hook.
pub const HOOKS: &[Hook] = &ALL;

/// The kernel functions of the table; tracepoints are left out.
pub fn functions() -> impl Iterator<Item = &'static str> {
    HOOKS
        .iter()
        .filter(|hook| !hook.parameters.is_empty())
        .map(|hook| hook.function)
}

const ALL: [Hook; LEDGER_HOOKS.len() + FINDING_HOOKS.len()] = {
    let mut all = [LEDGER_HOOKS[0]; LEDGER_HOOKS.len() + FINDING_HOOKS.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = if index < LEDGER_HOOKS.len() {
            LEDGER_HOOKS[index]
        } else {
            FINDING_HOOKS[index - LEDGER_HOOKS.len()]
        };
        index += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_program_is_listed_twice() {
        let attachments = HOOKS
            .iter()
            .flat_map(|hook| hook.candidates)
            .flat_map(|candidate| candidate.attachments);
        let mut programs: Vec<_> = attachments
            .flat_map(|attachment| attachment.backups.iter().copied().chain([attachment.program]))
            .collect();
        let all = programs.len();
        programs.sort_unstable();
        programs.dedup();
        assert_eq!(programs.len(), all);
    }

    #[test]
    fn what_every_kernel_has_is_hooked() {
        for OneOf { any, given } in ONE_OF {
            for name in any.iter().chain(given) {
                assert!(HOOKS.iter().any(|hook| hook.function == *name), "{name}");
            }
        }
    }

    #[test]
    fn a_function_serves_each_purpose_once() {
        let mut attached_to: Vec<_> = HOOKS.iter().map(|hook| (hook.function, hook.purposes)).collect();
        let all = attached_to.len();
        attached_to.sort_unstable();
        attached_to.dedup();
        assert_eq!(attached_to.len(), all);
    }

    #[test]
    fn what_stands_in_comes_after_what_it_stands_in_for() {
        for (index, hook) in HOOKS.iter().enumerate() {
            let Some(other) = hook.stands_in_for else { continue };
            let first = HOOKS.iter().position(|hook| hook.function == other).unwrap();
            assert!(first < index, "{}", hook.function);
        }
    }

    #[test]
    fn every_way_but_the_first_says_what_it_costs() {
        for hook in HOOKS {
            assert!(!hook.lost.is_empty(), "{}", hook.function);
            for (index, candidate) in hook.candidates.iter().enumerate() {
                assert_eq!(index == 0, candidate.lost.is_empty(), "{}", hook.function);
            }
        }
    }
}
