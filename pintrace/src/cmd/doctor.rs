//! `pintrace doctor`: what this kernel offers, what was chosen, what is missing and what that costs.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::attach::apply::{self, LoadOptions, Status};
use crate::attach::capture::Capture;
use crate::attach::facts::{Kernel, Roots};
use crate::attach::layout;
use crate::attach::plan::{self, Choice, Line};
use crate::attach::table::{Candidate, HOOKS, Hook, LONGTERM};
use crate::exit::Exit;

/// The command line of `doctor`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// Read the kernel's types from this raw BTF file.
    #[arg(long, value_name = "PATH")]
    pub btf: Option<PathBuf>,
    /// Print what this kernel answers to the planner's and the layout's questions, as JSON; nothing is tried. For
    /// fixtures: `cargo xtask facts`.
    #[arg(long, hide = true, conflicts_with = "json")]
    pub facts: bool,
}

/// The diagnosis, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Diagnosis {
    schema: u32,
    kernel: String,
    machine: String,
    /// The programs were really loaded and attached for a moment; else the hooks are only a plan.
    tried: bool,
    can_trace: bool,
    /// Threads can be taken off their CPU inside a hook: each is attached twice.
    preemption: bool,
    problems: Vec<String>,
    hooks: Vec<HookLine>,
}

/// One hook.
#[derive(Debug, Serialize)]
struct HookLine {
    function: &'static str,
    purposes: Vec<&'static str>,
    /// `attached`, `spare`, `planned`, `absent` or `missing`.
    status: &'static str,
    methods: Vec<&'static str>,
    /// Second copies are attached as well.
    twice: bool,
    /// Why it is missing, or why a better way was refused.
    why: String,
    /// What is lost by it.
    lost: &'static str,
}

/// Diagnoses this kernel.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let roots = Roots::with_btf(args.btf.as_deref());
    if args.facts {
        let capture = Capture::of(&Kernel::read(&roots)?);
        writeln!(out, "{}", serde_json::to_string_pretty(&capture)?)?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    let diagnosis = diagnose(&roots);
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&diagnosis)?)?;
    } else {
        write_text(&diagnosis, out)?;
    }
    out.flush()?;
    Ok(if diagnosis.can_trace {
        Exit::Done
    } else {
        Exit::CannotTrace
    })
}

fn diagnose(roots: &Roots) -> Diagnosis {
    let mut diagnosis = Diagnosis {
        schema: 1,
        kernel: String::new(),
        machine: String::new(),
        tried: false,
        can_trace: false,
        preemption: false,
        problems: Vec::new(),
        hooks: Vec::new(),
    };
    let kernel = match Kernel::read(roots) {
        Ok(kernel) => kernel,
        Err(error) => {
            diagnosis.problems.push(error.to_string());
            return diagnosis;
        }
    };
    diagnosis.kernel.clone_from(&kernel.facts.release);
    diagnosis.machine.clone_from(&kernel.facts.machine);
    diagnosis.preemption = kernel.facts.preemption;
    if !kernel.symbols.has_addresses() {
        diagnosis.problems.push(
            "kernel symbol addresses are hidden (kptr_restrict, or no CAP_SYSLOG): subsystems cannot be named"
                .to_owned(),
        );
    }
    let plan = plan::plan(HOOKS, &kernel.facts);
    let twice = kernel.facts.preemption;
    let facts = match layout::facts(&kernel.types, twice) {
        Ok(facts) => facts,
        Err(error) => {
            diagnosis.problems.push(error.to_string());
            return diagnosis;
        }
    };
    match apply::load(&kernel.facts, facts, &roots.btf, &LoadOptions::default()) {
        Ok((mut ebpf, btf)) => {
            let outcomes = apply::attach(&mut ebpf, &btf, plan, twice);
            diagnosis.tried = true;
            diagnosis.can_trace = apply::sees_pins(&outcomes);
            diagnosis.hooks = outcomes
                .iter()
                .map(|outcome| match &outcome.status {
                    Status::Attached(candidate) => {
                        let why = outcome.refused.join("; ");
                        HookLine {
                            twice: outcome.twice,
                            ..line(outcome.hook, "attached", Some(candidate), why, candidate.lost)
                        }
                    }
                    Status::NotNeeded => line(outcome.hook, "spare", None, String::new(), ""),
                    Status::NotHere => line(outcome.hook, "absent", None, String::new(), ""),
                    Status::Missing(why) => {
                        line(outcome.hook, "missing", None, why.clone(), outcome.hook.lost)
                    }
                })
                .collect();
        }
        Err(error) => {
            diagnosis.problems.push(error.to_string());
            if !rustix::process::geteuid().is_root() {
                diagnosis
                    .problems
                    .push("not root: run it again with sudo to try the hooks".to_owned());
            }
            diagnosis.hooks = plan.into_iter().map(planned).collect();
        }
    }
    diagnosis
}

fn planned(line_of_plan: Line) -> HookLine {
    let hook = line_of_plan.hook;
    match line_of_plan.choice {
        Choice::NotHere => line(hook, "absent", None, String::new(), ""),
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

fn write_text(diagnosis: &Diagnosis, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "kernel   {} ({})", diagnosis.kernel, diagnosis.machine)?;
    let verdict = match (diagnosis.can_trace, diagnosis.tried) {
        (true, _) => "pins and releases can be traced here",
        (false, true) => "pins cannot be traced here: the kernel refused the hooks below",
        (false, false) => "nothing could be tried",
    };
    writeln!(out, "verdict  {verdict}")?;
    for problem in &diagnosis.problems {
        writeln!(out, "problem  {problem}")?;
    }
    if diagnosis.hooks.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{:<34}{:<16}{:<10}HOW", "FUNCTION", "PURPOSE", "STATUS")?;
    for hook in &diagnosis.hooks {
        let how = match (hook.methods.join("+"), hook.twice) {
            (methods, _) if methods.is_empty() => "-".to_owned(),
            (methods, false) => methods,
            (methods, true) => format!("{methods} x2"),
        };
        let purposes = hook.purposes.join(",");
        writeln!(
            out,
            "{:<34}{:<16}{:<10}{how}",
            hook.function, purposes, hook.status
        )?;
        if !hook.why.is_empty() {
            writeln!(out, "    why   {}", hook.why)?;
        }
        if !hook.lost.is_empty() {
            writeln!(out, "    costs {}", hook.lost)?;
        }
    }
    writeln!(
        out,
        "\nabsent: this kernel has no such function, so nothing is lost.\n\
         spare: only needed where {LONGTERM} cannot be hooked.{}",
        if diagnosis.preemption {
            "\nx2: attached twice, because this kernel may take a thread off its CPU inside a hook, and then skips it for others."
        } else {
            ""
        }
    )
}
