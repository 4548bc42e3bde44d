//! Attaches the planned hooks on the running kernel, and keeps the reason of each refusal. The attempt decides, not a
//! list of functions.

use std::collections::HashMap;

use aya::programs::Program;
use aya::{Btf, Ebpf};

use super::load::{Backups, Layouts, LoadOptions};
use super::load_programs::{self, Loaded};
use super::plan::{self, PlanChoice, PlannedHook};
use super::table::{Attachment, Candidate, HOOKS, Hook, Method, Purpose};
use pintrace_bpf::refusal::root_cause;
use pintrace_kernel::facts::KernelFacts;

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
    /// The kernel has no such function.
    NotHere,
    /// The hook that this hook stands in for is attached, or another hook sees the same events on this kernel.
    NotNeeded,
    /// The function exists, and nothing could be attached to it, for this reason.
    Missing(String),
}

/// Plans the hooks for a kernel. Finding hooks are left out if `options` does not ask for findings, and missing if
/// their facts are unknown.
pub fn plan(kernel: &KernelFacts, layouts: &Layouts, options: &LoadOptions) -> Vec<PlannedHook> {
    let mut plan = plan::plan(HOOKS, kernel);
    plan.retain(|line| match options.findings {
        None => !line.hook.is_for_findings(),
        Some(wanted) => wanted.foll_get || !line.hook.purposes.contains(&Purpose::Reference),
    });
    plan.retain(|line| !options.left_out.contains(&line.hook.function));
    if let Err(unknown) = &layouts.mm_events {
        let finding_hooks = plan.iter_mut().filter(|line| line.hook.is_for_findings());
        for line in finding_hooks.filter(|line| matches!(line.choice, PlanChoice::Try(_))) {
            line.choice = PlanChoice::Missing(unknown.to_string());
        }
    }
    plan
}

/// Tries every hook of the plan, with backup programs as `backups` says. The links live as long as `ebpf`.
pub fn attach(ebpf: &mut Ebpf, btf: &Btf, plan: Vec<PlannedHook>, backups: Backups) -> Vec<HookOutcome> {
    let mut loaded = load_programs::load_all(ebpf, btf, &first_choices(&plan, backups));
    let mut outcomes: Vec<HookOutcome> = Vec::new();
    for line in plan {
        let needed = line.hook.stands_in_for.is_none_or(|other| {
            let tried = outcomes.iter().find(|outcome| outcome.hook.function == other);
            tried.is_none_or(|outcome| !matches!(outcome.status, HookStatus::Attached(_)))
        });
        let outcome = if needed || matches!(line.choice, PlanChoice::NotHere) {
            let has_backups = backups.of(line.hook);
            attach_line(ebpf, btf, line, has_backups, &mut loaded)
        } else {
            HookOutcome::without(line.hook, HookStatus::NotNeeded)
        };
        outcomes.push(outcome);
    }
    outcomes
}

impl HookOutcome {
    /// Returns the outcome of a hook that was not tried.
    const fn without(hook: &'static Hook, status: HookStatus) -> Self {
        Self {
            hook,
            status,
            has_backups: false,
            refused: Vec::new(),
        }
    }
}

fn attach_line(
    ebpf: &mut Ebpf,
    btf: &Btf,
    line: PlannedHook,
    has_backups: bool,
    loaded: &mut Loaded,
) -> HookOutcome {
    let hook = line.hook;
    let candidates = match line.choice {
        PlanChoice::NotHere => return HookOutcome::without(hook, HookStatus::NotHere),
        PlanChoice::NotNeeded => return HookOutcome::without(hook, HookStatus::NotNeeded),
        PlanChoice::Missing(why) => return HookOutcome::without(hook, HookStatus::Missing(why)),
        PlanChoice::Try(candidates) => candidates,
    };
    let mut refused = Vec::new();
    for candidate in candidates {
        match attach_candidate(ebpf, btf, hook, candidate, has_backups, loaded) {
            Ok(has_backups) => {
                return HookOutcome {
                    hook,
                    status: HookStatus::Attached(candidate),
                    has_backups,
                    refused,
                };
            }
            Err(why) => refused.push(why),
        }
    }
    let why = refused.last().cloned();
    HookOutcome {
        hook,
        status: HookStatus::Missing(why.unwrap_or_else(|| "the hook has no candidate".to_owned())),
        has_backups: false,
        refused,
    }
}

/// Loads all programs of a candidate, and then attaches them. Returns true if backup programs are among the programs.
fn attach_candidate(
    ebpf: &mut Ebpf,
    btf: &Btf,
    hook: &Hook,
    candidate: &'static Candidate,
    has_backups: bool,
    loaded: &mut Loaded,
) -> Result<bool, String> {
    let has_backups = has_backups && can_have_backups(candidate);
    let programs = programs_of(candidate, has_backups);
    for (method, name) in &programs {
        load_program(ebpf, btf, hook, name, loaded).map_err(|why| {
            format!(
                "the kernel refused to load the {} program: {why}",
                method.as_str()
            )
        })?;
    }
    for (method, name) in &programs {
        if let Err(why) = attach_program(ebpf, hook, name) {
            // Some programs of this candidate and the next candidate together would count events twice.
            for (_, name) in &programs {
                unload_program(ebpf, name);
            }
            return Err(format!(
                "the kernel refused to attach the {} program: {why}",
                method.as_str()
            ));
        }
    }
    Ok(has_backups)
}

/// Returns the programs of the first candidate of each hook that is certain to be needed.
fn first_choices(plan: &[PlannedHook], backups: Backups) -> HashMap<&'static str, &'static Hook> {
    let certain = plan.iter().filter(|line| line.hook.stands_in_for.is_none());
    certain
        .filter_map(|line| match &line.choice {
            PlanChoice::Try(candidates) => Some((line.hook, *candidates.first()?)),
            _ => None,
        })
        .flat_map(|(hook, candidate)| {
            let has_backups = backups.of(hook) && can_have_backups(candidate);
            let programs = programs_of(candidate, has_backups);
            programs.into_iter().map(move |(_, name)| (name, hook))
        })
        .collect()
}

fn can_have_backups(candidate: &Candidate) -> bool {
    let mut attachments = candidate.attachments.iter();
    attachments.all(|attachment| !attachment.backups.is_empty())
}

/// Returns the programs of a candidate in the order in which to attach them.
fn programs_of(candidate: &'static Candidate, has_backups: bool) -> Vec<(Method, &'static str)> {
    let attachments = candidate.attachments.iter();
    attachments
        .flat_map(|attachment| in_order(attachment, has_backups).map(|name| (attachment.method, name)))
        .collect()
}

/// Returns the programs of an attachment in the order in which to attach them, so that the programs run in the order of
/// the table.
fn in_order(attachment: &'static Attachment, has_backups: bool) -> impl Iterator<Item = &'static str> {
    let backups = if has_backups { attachment.backups } else { &[] };
    let mut all: Vec<_> = [attachment.program].iter().chain(backups).copied().collect();
    if attachment.method != Method::Tracepoint {
        // A trampoline runs the last attached program first (`bpf_trampoline_link_prog`,
        // kernel/bpf/trampoline.c), a tracepoint the first attached (`func_add`, kernel/tracepoint.c).
        all.reverse();
    }
    all.into_iter()
}

/// Loads a program, unless an attempt has been made already.
fn load_program(
    ebpf: &mut Ebpf,
    btf: &Btf,
    hook: &Hook,
    name: &str,
    loaded: &mut Loaded,
) -> Result<(), String> {
    match loaded.remove(name) {
        Some(outcome) => outcome,
        None => load_programs::load(program(ebpf, name)?, hook, btf),
    }
}

fn attach_program(ebpf: &mut Ebpf, hook: &Hook, name: &str) -> Result<(), String> {
    match program(ebpf, name)? {
        Program::FEntry(program) => program.attach().map(drop),
        Program::FExit(program) => program.attach().map(drop),
        Program::KProbe(program) => program.attach(hook.function, 0).map(drop),
        Program::RawTracePoint(program) => program.attach(hook.function).map(drop),
        other => {
            return Err(format!(
                "program {name} has the unexpected type {:?}",
                other.prog_type()
            ));
        }
    }
    .map_err(|error| root_cause(&error))
}

/// Detaches and unloads a program. A program that is not loaded is left alone.
fn unload_program(ebpf: &mut Ebpf, name: &str) {
    let _ = match program(ebpf, name) {
        Ok(Program::FEntry(program)) => program.unload(),
        Ok(Program::FExit(program)) => program.unload(),
        Ok(Program::KProbe(program)) => program.unload(),
        Ok(Program::RawTracePoint(program)) => program.unload(),
        _ => Ok(()),
    };
}

fn program<'e>(ebpf: &'e mut Ebpf, name: &str) -> Result<&'e mut Program, String> {
    ebpf.program_mut(name)
        .ok_or_else(|| format!("program {name} is not in the eBPF object"))
}

/// Returns true if at least one hook sees pins and one hook sees releases. Otherwise nothing can be traced.
pub fn sees_pins(outcomes: &[HookOutcome]) -> bool {
    [Purpose::Acquire, Purpose::Release].into_iter().all(|purpose| {
        outcomes.iter().any(|outcome| {
            outcome.hook.purposes.contains(&purpose) && matches!(outcome.status, HookStatus::Attached(_))
        })
    })
}

/// Returns the attached programs with their hooks, without backup programs.
pub fn attachments(outcomes: &[HookOutcome]) -> impl Iterator<Item = (&'static Hook, &'static Attachment)> {
    outcomes.iter().flat_map(|outcome| {
        let candidate = match outcome.status {
            HookStatus::Attached(candidate) => candidate.attachments,
            _ => &[],
        };
        candidate.iter().map(|attachment| (outcome.hook, attachment))
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
