//! The table of hooks: the kernel functions for each purpose, the prototypes that the programs rely on, the candidates
//! in order of preference, and the loss without the hook. Only this table names kernel functions to attach to.

pub use findings::{ONE_OF, OneOf};
pub use ledger::{LONGTERM, MIGRATION};

use findings::FINDING_HOOKS;
use ledger::{GUP_FAST, LEDGER_HOOKS};

mod findings;
mod ledger;

/// The purpose of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Sees pages being pinned.
    Acquire,
    /// Separates the kernel's own retries from releases.
    Retry,
    /// Sees pages being unpinned.
    Release,
    /// Sees processes end.
    Exit,
    /// Sees processes execute new programs.
    Exec,
    /// Sees pages being copied on write.
    Copy,
    /// Sees fork copy pinned pages.
    Fork,
    /// Sees mappings, files and mms go away.
    Mapping,
    /// Sees ranges being write-protected, and their TLB flush.
    Window,
    /// Sees references being taken without a pin (FOLL_GET).
    Reference,
    /// Takes the time of long-term pin calls.
    Time,
    /// Sees registrations of memory that fail.
    Register,
}

impl Purpose {
    /// Returns the name in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Retry => "retry",
            Self::Release => "release",
            Self::Exit => "exit",
            Self::Exec => "exec",
            Self::Copy => "copy",
            Self::Fork => "fork",
            Self::Mapping => "mapping",
            Self::Window => "window",
            Self::Reference => "reference",
            Self::Time => "time",
            Self::Register => "register",
        }
    }

    /// Returns true if the purpose serves the findings, and not the ledger.
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
    /// A replaced return address.
    Kretprobe,
    /// A raw tracepoint.
    Tracepoint,
}

impl Method {
    /// Returns the name in output.
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
    /// Programs attached to the same place on kernels that preempt threads inside a hook, in the order in which the
    /// programs run: the backup program, which counts calls for which the kernel skipped the primary program; for
    /// pins also a program that takes the stack.
    pub backups: &'static [&'static str],
    /// Method.
    pub method: Method,
}

/// One way to serve a hook, by all of these programs together.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Programs, attached in this order.
    pub attachments: &'static [Attachment],
    /// Loss compared with the first candidate; empty for the first.
    pub lost: &'static str,
}

impl Candidate {
    /// Returns true if the programs can be attached after pintrace has dropped the capabilities that a start needs: a
    /// kprobe needs CAP_PERFMON (`perf_kprobe_event_init`, kernel/events/core.c).
    pub fn can_wait(&self) -> bool {
        let mut methods = self.attachments.iter().map(|attachment| attachment.method);
        methods.all(|method| !matches!(method, Method::Kprobe | Method::Kretprobe))
    }
}

/// One kernel function or tracepoint, with the programs for it.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Kernel function, or tracepoint name.
    pub function: &'static str,
    /// Purposes.
    pub purposes: &'static [Purpose],
    /// Names of the first parameters, in the order in which the program reads them; [`ANY`] for a parameter that the
    /// program does not read. Empty for tracepoints.
    pub parameters: &'static [&'static str],
    /// Other prototypes that the program can read.
    pub or: &'static [&'static [&'static str]],
    /// If the function has another prototype, another hook sees the same events.
    pub optional: bool,
    /// Candidates, best first.
    pub candidates: &'static [Candidate],
    /// Function of an earlier hook of the table. This hook is tried only if that hook is not attached.
    pub stands_in_for: Option<&'static str>,
    /// Loss if the function exists and no candidate can be attached.
    pub lost: &'static str,
}

impl Hook {
    /// Returns true if the hook serves the findings, and not the ledger.
    pub fn is_for_findings(&self) -> bool {
        self.purposes.iter().any(|purpose| purpose.is_for_findings())
    }

    /// Returns true if only kprobes serve the hook, which reach functions of modules too.
    pub fn is_for_modules(&self) -> bool {
        let mut attachments = self.candidates.iter().flat_map(|candidate| candidate.attachments);
        attachments.all(|attachment| matches!(attachment.method, Method::Kprobe | Method::Kretprobe))
    }

    /// Returns true if a call that the kernel skips for the hook is missing in the sums of the ledger.
    pub fn counts_pages(&self) -> bool {
        let counts = |purpose: &Purpose| !matches!(purpose, Purpose::Time | Purpose::Register);
        !self.is_for_findings() && self.purposes.iter().any(counts)
    }

    /// Returns the pins without which the hook has nothing to see; `None` for a hook that is always attached.
    pub fn waits_for(&self) -> Option<WaitsFor> {
        let serves = |purpose: Purpose| self.purposes.contains(&purpose);
        if serves(Purpose::Time) && GUP_FAST.contains(&self.function) {
            Some(WaitsFor::UntimedCall)
        } else if serves(Purpose::Copy) || serves(Purpose::Fork) || serves(Purpose::Window) {
            Some(WaitsFor::Pin)
        } else if serves(Purpose::Mapping) && !KEEPS_STATE.contains(&self.function) {
            Some(WaitsFor::Extent)
        } else {
            None
        }
    }
}

/// The pins for which a hook waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// The first pin into an mm.
    Pin,
    /// The first extent.
    Extent,
    /// The first long-term call whose entry no hook saw, also in a session that attaches the finding hooks at the start.
    UntimedCall,
}

/// Finding hooks that remove entries of the programs' tables, and so never wait. The kernel calls these functions
/// rarely.
const KEEPS_STATE: &[&str] = &["exit_mmap", "clear_inode", "io_uring_release", "xsk_release"];

/// Stands for a parameter of any name, which no program reads.
pub const ANY: &str = "_";

/// A program with a backup program, and optionally one more program at the same place.
macro_rules! with_backup {
    ($program:expr, $method:ident $(, $backup:expr)?) => {
        Attachment {
            program: $program,
            backups: &[concat!($program, "_backup") $(, $backup)?],
            method: Method::$method,
        }
    };
}

/// A program without a backup program.
const fn without_backup(program: &'static str, method: Method) -> Attachment {
    Attachment {
        program,
        backups: &[],
        method,
    }
}

use with_backup;

/// All hooks, those of the ledger first.
pub const HOOKS: &[Hook] = &ALL;

/// Returns the kernel functions of the table, without tracepoints.
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
    fn every_function_of_one_of_has_a_hook() {
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

    /// When the programs of a function change, the kernel makes a new trampoline. A call in flight returns into the old one, and
    /// its return programs are skipped and not counted (`bpf_tramp_image_put`, kernel/bpf/trampoline.c).
    #[test]
    fn a_hook_that_waits_shares_no_function_with_a_hook_on_a_return() {
        let functions = |hook: &&Hook| hook.waits_for().is_some();
        for waiting in HOOKS.iter().filter(functions) {
            let others = HOOKS.iter().filter(|hook| hook.purposes != waiting.purposes);
            let shares = others.filter(|hook| hook.function == waiting.function).count();
            assert_eq!(shares, 0, "{}", waiting.function);
        }
    }

    #[test]
    fn a_stand_in_comes_after_the_hook_that_it_replaces() {
        for (index, hook) in HOOKS.iter().enumerate() {
            let Some(other) = hook.stands_in_for else { continue };
            let first = HOOKS.iter().position(|hook| hook.function == other).unwrap();
            assert!(first < index, "{}", hook.function);
        }
    }

    #[test]
    fn every_candidate_but_the_first_names_its_loss() {
        for hook in HOOKS {
            assert!(!hook.lost.is_empty(), "{}", hook.function);
            for (index, candidate) in hook.candidates.iter().enumerate() {
                assert_eq!(index == 0, candidate.lost.is_empty(), "{}", hook.function);
            }
        }
    }
}
