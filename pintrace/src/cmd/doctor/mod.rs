//! `pintrace doctor`: reports the abilities of this system, the hook on each function, the missing hooks and the events
//! that are not seen without these hooks, whether the hooks see a pin of this process, and whether pins and releases on
//! each path reach a hook.

mod hook_table;
mod hooks;
mod paths;
mod reasons;
mod self_test;
#[cfg(test)]
mod tests;
mod text;
mod try_hooks;

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::exit::Exit;
use crate::pipeline::loader_btf;
use crate::pipeline::start::{Mode, SessionError, SessionOptions};
use crate::pipeline::trace_session::TraceSession;
use crate::sandbox;
use pintrace_export::SCHEMA;
use pintrace_kernel::capture::Capture;
use pintrace_kernel::environment::{self, Check, CheckState};
use pintrace_kernel::facts::{self, Kernel, Roots};
use pintrace_probes::plan;
use pintrace_probes::table::{self, HOOKS, Purpose};
use pintrace_scan::scanner::Scanner;
use pintrace_source::trace_source::StartError;

use hooks::HookLine;
use paths::PathLine;
use self_test::SelfTest;

/// The command line of `doctor`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// Print only the results, and what is missing with its remedy: for the log of a service.
    #[arg(long, conflicts_with_all = ["json", "explain"])]
    pub brief: bool,
    /// Explain the hooks of a purpose, such as acquire or release, and list their kernel functions.
    #[arg(long, value_name = "PURPOSE", conflicts_with = "json", value_parser = purpose)]
    pub explain: Option<Purpose>,
    /// Read the kernel's types from this raw BTF file instead of /sys/kernel/btf/vmlinux.
    #[arg(long, value_name = "PATH")]
    pub btf: Option<PathBuf>,
    /// Print the facts about this kernel that the plan and the layouts need, and the outcome of each hook, as JSON.
    /// `cargo xtask facts` makes fixtures from the JSON.
    #[arg(long, hide = true, conflicts_with = "json")]
    pub facts: bool,
}

fn purpose(name: &str) -> Result<Purpose, String> {
    Purpose::named(name).ok_or_else(|| {
        format!(
            "the purposes are {}",
            Purpose::ALL.map(Purpose::as_str).join(", ")
        )
    })
}

/// The restrictions that this kernel offers, as `--json` prints them.
#[derive(Debug, Default, Serialize)]
struct SandboxLine {
    /// Version of the Landlock interface.
    landlock: Option<i32>,
    seccomp: bool,
    text: String,
}

impl SandboxLine {
    fn of_kernel() -> Self {
        let offered = sandbox::offered();
        Self {
            landlock: offered.landlock.as_ref().ok().copied(),
            seccomp: offered.seccomp.is_ok(),
            text: offered.to_string(),
        }
    }
}

/// The diagnosis, as `--json` prints it.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
#[derive(Debug, Default, Serialize)]
struct Diagnosis {
    schema: u32,
    kernel: String,
    machine: String,
    /// The programs were loaded and attached. If false, `hooks` is a plan.
    tried: bool,
    can_trace: bool,
    /// Memory can be scanned, which needs no hook.
    can_scan: bool,
    /// Why memory cannot be scanned.
    without_scan: Option<String>,
    /// The eBPF object for this kernel: `with_bpf_loop`, or `without_bpf_loop` before 5.17.
    programs: &'static str,
    /// The kernel may preempt a thread inside a hook, so backup programs are attached.
    preemption: bool,
    /// The restrictions of a session once its hooks are attached.
    sandbox: SandboxLine,
    environment: Vec<Check>,
    /// Absent if the kernel cannot be traced.
    self_test: Option<SelfTest>,
    /// The tests of the paths on which pins and releases must reach a hook; empty if the kernel cannot be traced.
    paths: Vec<PathLine>,
    problems: Vec<String>,
    hooks: Vec<HookLine>,
}

impl Diagnosis {
    /// Returns true if no issue was found.
    fn has_no_issue(&self) -> bool {
        self.can_trace
            && self.can_scan
            && self.problems.is_empty()
            && !self.environment.iter().any(is_issue)
            && self.self_test.as_ref().is_some_and(|test| test.passed)
            && !self.paths.iter().any(|path| path.is_unseen)
            && !self.hooks.iter().any(HookLine::is_missing)
    }
}

fn is_issue(check: &Check) -> bool {
    matches!(check.state, CheckState::Weak | CheckState::Bad)
}

/// Diagnoses this kernel.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let roots = Roots::with_btf(args.btf.as_deref());
    if let Some(purpose) = args.explain {
        text::explain(purpose, out)?;
        return Ok(Exit::Done);
    }
    if args.facts {
        let kernel = Kernel::read(&roots, table::functions())?;
        let mut capture = Capture::of(&kernel);
        try_hooks::run(&mut capture, &kernel)?;
        writeln!(out, "{}", serde_json::to_string_pretty(&capture)?)?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    let diagnosis = diagnose(&roots);
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&diagnosis)?)?;
    } else {
        text::write(&diagnosis, args.brief, out)?;
    }
    out.flush()?;
    let can_something = diagnosis.can_trace || diagnosis.can_scan;
    Ok(match (can_something, diagnosis.has_no_issue()) {
        (false, _) => Exit::CannotTrace,
        (true, true) => Exit::Done,
        (true, false) => Exit::IssuesFound,
    })
}

fn diagnose(roots: &Roots) -> Diagnosis {
    let mut diagnosis = Diagnosis {
        schema: SCHEMA,
        kernel: facts::release(&roots.proc),
        machine: facts::machine(&roots.proc),
        sandbox: SandboxLine::of_kernel(),
        ..Diagnosis::default()
    };
    let kernel = match Kernel::read(roots, table::functions()) {
        Ok(kernel) => kernel,
        Err(error) => {
            diagnosis.environment = environment::checks_without_types(roots, &error);
            diagnosis.problems.push(error.to_string());
            return diagnosis;
        }
    };
    diagnosis.environment = environment::checks(roots, Some(&kernel));
    diagnosis.programs = if kernel.facts.bpf_loop {
        "with_bpf_loop"
    } else {
        "without_bpf_loop"
    };
    diagnosis.preemption = kernel.facts.preemption;
    let plan = plan::plan(HOOKS, &kernel.facts);
    let options = SessionOptions {
        mode: Mode::Trace,
        ..SessionOptions::default()
    };
    match Scanner::start(&kernel.types, &loader_btf::of(&kernel.types), roots) {
        Ok(_) => diagnosis.can_scan = true,
        Err(error) => diagnosis.without_scan = Some(error.to_string()),
    }
    match TraceSession::start(kernel, roots, &options) {
        Ok((mut session, first)) => {
            diagnosis.tried = true;
            diagnosis.can_trace = true;
            diagnosis.hooks = session.outcomes().iter().map(hooks::tried).collect();
            diagnosis.paths = session.test_pins().iter().map(paths::line).collect();
            diagnosis.self_test = Some(self_test::run(&mut session, &first));
        }
        Err(SessionError::Start(StartError::NothingAttached { outcomes, .. })) => {
            diagnosis.tried = true;
            diagnosis.hooks = outcomes.iter().map(hooks::tried).collect();
        }
        Err(error) => {
            diagnosis.problems.push(error.to_string());
            if !rustix::process::geteuid().is_root() {
                diagnosis
                    .problems
                    .push("not root: run the command again with sudo to try the hooks".to_owned());
            }
            diagnosis.hooks = plan.into_iter().map(hooks::planned).collect();
        }
    }
    diagnosis
}
