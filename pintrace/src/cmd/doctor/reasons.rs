//! Groups the missing hooks by the kernel's answer, with the remedy for each answer.

use pintrace_kernel::environment::{Check, CheckState};
use pintrace_probes::table::Method;

use super::{Diagnosis, is_issue};

/// Every method.
const METHODS: [Method; 5] = [
    Method::Fentry,
    Method::Fexit,
    Method::Kprobe,
    Method::Kretprobe,
    Method::Tracepoint,
];
/// The end of the error EPERM.
const REFUSED: &str = "Operation not permitted (os error 1)";
/// A privilege or a setting is wrong.
const SETTINGS: &str = "first the remedies of the settings above";
/// The kernel loads the programs of a scan.
const TRACING_ALONE: &str = "the kernel loads other BPF programs, so a security module (SELinux, AppArmor, BPF LSM) or the \
                             configuration of this kernel forbids tracing programs: change the policy of the module, or use \
                             another kernel";
/// The kernel loads no program.
const ALL_PROGRAMS: &str = "the privileges suffice, so a seccomp filter (of a container) or a security module (SELinux, \
                            AppArmor, BPF LSM) forbids BPF programs: allow bpf(2) there, or run pintrace on the host";

/// Why hooks are missing.
#[derive(Debug)]
pub(super) struct Reason {
    /// The kernel's answer, without the method of the program.
    pub(super) why: String,
    /// The functions of the hooks.
    pub(super) functions: Vec<&'static str>,
    /// The remedy; empty if none is known.
    pub(super) remedy: &'static str,
}

impl Reason {
    /// Returns the first function, and the number of the others.
    pub(super) fn hooks(&self) -> String {
        match &self.functions[..] {
            [first, others @ ..] if !others.is_empty() => format!("{first} and {} more", others.len()),
            [first, ..] => (*first).to_owned(),
            [] => String::new(),
        }
    }
}

/// Returns the reasons of the missing hooks, in the order of the hooks.
pub(super) fn reasons(diagnosis: &Diagnosis) -> Vec<Reason> {
    let mut all: Vec<Reason> = Vec::new();
    for hook in diagnosis.hooks.iter().filter(|hook| hook.is_missing()) {
        let why = without_method(&hook.why);
        if let Some(known) = all.iter_mut().find(|reason| reason.why == why) {
            known.functions.push(hook.function);
        } else {
            all.push(Reason {
                remedy: remedy(&why, diagnosis),
                why,
                functions: vec![hook.function],
            });
        }
    }
    all
}

/// Returns a reason without the method of the program: the kernel refuses each method for the same reason.
pub(super) fn without_method(why: &str) -> String {
    METHODS.into_iter().fold(why.to_owned(), |why, method| {
        why.replace(&format!("the {} program", method.as_str()), "the program")
    })
}

fn remedy(why: &str, diagnosis: &Diagnosis) -> &'static str {
    // Weak settings cost names or figures. Of these, only that of perf refuses programs.
    let is_wrong =
        |check: &Check| check.state == CheckState::Bad || (check.name == "perf" && is_issue(check));
    if !why.ends_with(REFUSED) {
        ""
    } else if diagnosis.environment.iter().any(is_wrong) {
        SETTINGS
    } else if diagnosis.can_scan {
        TRACING_ALONE
    } else {
        ALL_PROGRAMS
    }
}
