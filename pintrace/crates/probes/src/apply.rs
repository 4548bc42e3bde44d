//! Attaches the planned hooks on the running kernel, and keeps the reason of each refusal. The attempt decides, not a
//! list of functions.

use std::collections::HashMap;

use aya::programs::Program;
use aya::{Btf, Ebpf};

use super::load::{Backups, Layouts};
use super::load_programs::{self, LoadOutcomes};
use super::options::{FindingsFrom, LoadOptions};
use super::outcome::{HookOutcome, HookStatus};
use super::plan::{self, PlanChoice, PlannedHook};
use super::table::{Attachment, Candidate, HOOKS, Hook, Method, Purpose, WaitsFor};
use pintrace_bpf::refusal::root_cause;
use pintrace_kernel::facts::KernelFacts;

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

/// Tries every hook of the plan, with backup programs as `backups` says. With [`FindingsFrom::Pins`], hooks that have
/// nothing to see until memory is pinned are only loaded. The links live as long as `ebpf`.
pub fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    plan: Vec<PlannedHook>,
    backups: Backups,
    from: FindingsFrom,
) -> Vec<HookOutcome> {
    let mut loaded = load_programs::load_all(ebpf, btf, &first_choices(&plan, backups));
    let mut outcomes: Vec<HookOutcome> = Vec::new();
    for line in plan {
        let needed = line.hook.stands_in_for.is_none_or(|other| {
            let tried = outcomes.iter().find(|outcome| outcome.hook.function == other);
            tried.is_none_or(|outcome| outcome.candidate().is_none())
        });
        let outcome = if needed || matches!(line.choice, PlanChoice::NotHere) {
            let waits = match line.hook.waits_for() {
                Some(WaitsFor::UntimedCall) => true,
                Some(WaitsFor::Pin | WaitsFor::Extent) => from == FindingsFrom::Pins,
                None => false,
            };
            let attempt = Attempt {
                has_backups: backups.of(line.hook),
                waits,
            };
            attach_line(ebpf, btf, line, attempt, &mut loaded)
        } else {
            HookOutcome::without(line.hook, HookStatus::NotNeeded)
        };
        outcomes.push(outcome);
    }
    outcomes
}

/// How to attach a hook.
#[derive(Clone, Copy)]
struct Attempt {
    /// With backup programs, where the table has them.
    has_backups: bool,
    /// Load the programs only.
    waits: bool,
}

fn attach_line(
    ebpf: &mut Ebpf,
    btf: &Btf,
    line: PlannedHook,
    attempt: Attempt,
    loaded: &mut LoadOutcomes,
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
        let has_backups = attempt.has_backups && can_have_backups(candidate);
        let programs = programs_of(candidate, has_backups);
        let outcome = load_candidate(ebpf, btf, hook, &programs, loaded).and_then(|()| {
            if attempt.waits && candidate.can_wait() {
                return Ok(HookStatus::Waiting(candidate));
            }
            attach_candidate(ebpf, hook, &programs)?;
            Ok(HookStatus::Attached(candidate))
        });
        match outcome {
            Ok(status) => {
                return HookOutcome {
                    hook,
                    status,
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

/// Attaches the waiting hooks that `due` names. The outcome of each becomes attached or missing.
pub fn attach_waiting(ebpf: &mut Ebpf, outcomes: &mut [HookOutcome], due: impl Fn(WaitsFor) -> bool) {
    for outcome in outcomes {
        let HookStatus::Waiting(candidate) = outcome.status else {
            continue;
        };
        if !outcome.hook.waits_for().is_none_or(&due) {
            continue;
        }
        let programs = programs_of(candidate, outcome.has_backups);
        outcome.status = match attach_candidate(ebpf, outcome.hook, &programs) {
            Ok(()) => HookStatus::Attached(candidate),
            Err(why) => HookStatus::Missing(why),
        };
    }
}

/// Detaches the first attached finding hook that [`Hook::waits_for`] pins. All such hooks that wait are given up. Returns true if
/// another such hook is attached.
pub fn shed_one(ebpf: &mut Ebpf, outcomes: &mut [HookOutcome]) -> bool {
    let mut detached = false;
    for outcome in outcomes {
        let Some(candidate) = outcome.candidate() else {
            continue;
        };
        if outcome.hook.waits_for().is_none() || !outcome.hook.is_for_findings() {
            continue;
        }
        if outcome.is_attached() {
            if detached {
                return true;
            }
            for (_, name) in programs_of(candidate, outcome.has_backups) {
                unload_program(ebpf, name);
            }
            detached = true;
        }
        outcome.status = HookStatus::Shed;
    }
    false
}

/// Programs with their methods, in the order in which to attach them.
type Programs = Vec<(Method, &'static str)>;

fn load_candidate(
    ebpf: &mut Ebpf,
    btf: &Btf,
    hook: &Hook,
    programs: &Programs,
    loaded: &mut LoadOutcomes,
) -> Result<(), String> {
    programs.iter().try_for_each(|(method, name)| {
        let outcome = match loaded.remove(name) {
            Some(outcome) => outcome,
            None => program(ebpf, name).and_then(|program| load_programs::load(program, hook, btf)),
        };
        let method = method.as_str();
        outcome.map_err(|why| format!("the kernel refused to load the {method} program: {why}"))
    })
}

/// Attaches the loaded programs of a candidate: all or none.
fn attach_candidate(ebpf: &mut Ebpf, hook: &Hook, programs: &Programs) -> Result<(), String> {
    for (method, name) in programs {
        if let Err(why) = attach_program(ebpf, hook, name) {
            // Some programs of this candidate and the next candidate together would count events twice.
            for (_, name) in programs {
                unload_program(ebpf, name);
            }
            return Err(format!(
                "the kernel refused to attach the {} program: {why}",
                method.as_str()
            ));
        }
    }
    Ok(())
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
fn programs_of(candidate: &'static Candidate, has_backups: bool) -> Programs {
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
