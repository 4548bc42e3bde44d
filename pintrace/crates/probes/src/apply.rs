//! Trying the plan against the running kernel: attach, and keep the reason where that fails.
//! A trial attach decides, not a listing.

use aya::programs::Program;
use aya::{Btf, Ebpf};

use super::load::{Layouts, LoadOptions};
use super::plan::{self, PlanChoice, PlannedHook};
use super::table::{Attachment, Candidate, HOOKS, Hook, Method, Purpose};
use pintrace_bpf::refusal::root_cause;
use pintrace_kernel::facts::KernelFacts;

/// What became of one hook.
#[derive(Clone, Debug)]
pub struct HookOutcome {
    /// The hook.
    pub hook: &'static Hook,
    /// Result.
    pub status: HookStatus,
    /// Followers are attached as well.
    pub has_backups: bool,
    /// What was tried before and why it failed.
    pub refused: Vec<String>,
}

/// Result of trying one hook.
#[derive(Clone, Debug)]
pub enum HookStatus {
    /// Attached in this way.
    Attached(&'static Candidate),
    /// This kernel has no such function.
    NotHere,
    /// What it would stand in for is attached, or sees the same on this kernel.
    NotNeeded,
    /// It is there and nothing could be attached.
    Missing(String),
}

/// What is to be tried on a kernel: the hooks for findings only if they are wanted, and their facts known.
pub fn plan(kernel: &KernelFacts, layouts: &Layouts, options: &LoadOptions) -> Vec<PlannedHook> {
    let mut plan = plan::plan(HOOKS, kernel);
    plan.retain(|line| match options.findings {
        None => !line.hook.is_for_findings(),
        Some(wanted) => wanted.foll_get || !line.hook.purposes.contains(&Purpose::Reference),
    });
    if let Err(unknown) = &layouts.mm_events {
        let finding_hooks = plan.iter_mut().filter(|line| line.hook.is_for_findings());
        for line in finding_hooks.filter(|line| matches!(line.choice, PlanChoice::Try(_))) {
            line.choice = PlanChoice::Missing(unknown.to_string());
        }
    }
    plan
}

/// Tries every line of the plan, with followers if `twice`. Links live as long as `ebpf`.
pub fn attach(ebpf: &mut Ebpf, btf: &Btf, plan: Vec<PlannedHook>, has_backups: bool) -> Vec<HookOutcome> {
    let mut outcomes: Vec<HookOutcome> = Vec::new();
    for line in plan {
        let needed = line.hook.stands_in_for.is_none_or(|other| {
            let tried = outcomes.iter().find(|outcome| outcome.hook.function == other);
            tried.is_none_or(|outcome| !matches!(outcome.status, HookStatus::Attached(_)))
        });
        let outcome = if needed || matches!(line.choice, PlanChoice::NotHere) {
            attach_line(ebpf, btf, line, has_backups)
        } else {
            HookOutcome::without(line.hook, HookStatus::NotNeeded)
        };
        outcomes.push(outcome);
    }
    outcomes
}

impl HookOutcome {
    /// Nothing was tried.
    const fn without(hook: &'static Hook, status: HookStatus) -> Self {
        Self {
            hook,
            status,
            has_backups: false,
            refused: Vec::new(),
        }
    }
}

fn attach_line(ebpf: &mut Ebpf, btf: &Btf, line: PlannedHook, has_backups: bool) -> HookOutcome {
    let hook = line.hook;
    let candidates = match line.choice {
        PlanChoice::NotHere => return HookOutcome::without(hook, HookStatus::NotHere),
        PlanChoice::NotNeeded => return HookOutcome::without(hook, HookStatus::NotNeeded),
        PlanChoice::Missing(why) => return HookOutcome::without(hook, HookStatus::Missing(why)),
        PlanChoice::Try(candidates) => candidates,
    };
    let mut refused = Vec::new();
    for candidate in candidates {
        match attach_candidate(ebpf, btf, hook, candidate, has_backups) {
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
        status: HookStatus::Missing(why.unwrap_or_else(|| "no way to attach".to_owned())),
        has_backups: false,
        refused,
    }
}

/// Loads all programs of a candidate before attaching any. Gives whether followers are among them.
fn attach_candidate(
    ebpf: &mut Ebpf,
    btf: &Btf,
    hook: &Hook,
    candidate: &Candidate,
    has_backups: bool,
) -> Result<bool, String> {
    let has_backups = has_backups
        && candidate
            .attachments
            .iter()
            .all(|attachment| !attachment.backups.is_empty());
    let programs: Vec<_> = candidate
        .attachments
        .iter()
        .flat_map(|attachment| in_order(attachment, has_backups).map(|name| (attachment.method, name)))
        .collect();
    for (method, name) in &programs {
        load_program(ebpf, btf, hook, name)
            .map_err(|why| format!("{} refused to load: {why}", method.as_str()))?;
    }
    for (method, name) in &programs {
        if let Err(why) = attach_program(ebpf, hook, name) {
            // Half of a candidate beside the next one would count twice.
            for (_, name) in &programs {
                unload_program(ebpf, name);
            }
            return Err(format!("{} refused to attach: {why}", method.as_str()));
        }
    }
    Ok(has_backups)
}

/// The programs of an attachment in the order in which to attach them, so that they run as the table says.
fn in_order(attachment: &'static Attachment, has_backups: bool) -> impl Iterator<Item = &'static str> {
    let backups = if has_backups { attachment.backups } else { &[] };
    let mut all: Vec<_> = [attachment.program].iter().chain(backups).copied().collect();
    if attachment.method != Method::Tracepoint {
        // A trampoline runs the newest program first (`bpf_trampoline_link_prog`, kernel/bpf/trampoline.c), a
        // tracepoint the oldest (`func_add`, kernel/tracepoint.c).
        all.reverse();
    }
    all.into_iter()
}

fn load_program(ebpf: &mut Ebpf, btf: &Btf, hook: &Hook, name: &str) -> Result<(), String> {
    match program(ebpf, name)? {
        Program::FEntry(program) => program.load(hook.function, btf),
        Program::FExit(program) => program.load(hook.function, btf),
        Program::KProbe(program) => program.load(),
        Program::RawTracePoint(program) => program.load(),
        other => return Err(format!("unexpected kind of program: {:?}", other.prog_type())),
    }
    .map_err(|error| root_cause(&error))
}

fn attach_program(ebpf: &mut Ebpf, hook: &Hook, name: &str) -> Result<(), String> {
    match program(ebpf, name)? {
        Program::FEntry(program) => program.attach().map(drop),
        Program::FExit(program) => program.attach().map(drop),
        Program::KProbe(program) => program.attach(hook.function, 0).map(drop),
        Program::RawTracePoint(program) => program.attach(hook.function).map(drop),
        other => return Err(format!("unexpected kind of program: {:?}", other.prog_type())),
    }
    .map_err(|error| root_cause(&error))
}

/// Detaches a program if it is attached; what is not even loaded has nothing to unload.
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

/// Whether pins and releases are seen at all: without one of each there is nothing to trace.
pub fn sees_pins(outcomes: &[HookOutcome]) -> bool {
    [Purpose::Acquire, Purpose::Release].into_iter().all(|purpose| {
        outcomes.iter().any(|outcome| {
            outcome.hook.purposes.contains(&purpose) && matches!(outcome.status, HookStatus::Attached(_))
        })
    })
}

/// Programs attached, with what for, where and how; followers left out.
pub fn attachments(outcomes: &[HookOutcome]) -> impl Iterator<Item = (&'static Hook, &'static Attachment)> {
    outcomes.iter().flat_map(|outcome| {
        let candidate = match outcome.status {
            HookStatus::Attached(candidate) => candidate.attachments,
            _ => &[],
        };
        candidate.iter().map(|attachment| (outcome.hook, attachment))
    })
}

/// What an attachment serves: marks on entry tell retries apart, everything else is the first purpose.
pub fn purpose_of(hook: &Hook, attachment: &Attachment) -> Purpose {
    match (hook.purposes, attachment.method) {
        ([first, ..], _) if first.is_for_findings() => *first,
        ([_, second, ..], Method::Fentry) => *second,
        (all, _) => all.first().copied().unwrap_or(Purpose::Acquire),
    }
}
