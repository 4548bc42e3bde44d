//! Trying the plan against the running kernel: load, attach, and keep the reason where that fails.
//! A trial attach decides, not a listing.

use aya::programs::Program;
use aya::{Btf, Ebpf, EbpfLoader};
use pintrace_common::facts::Facts;
use pintrace_common::ledger::CHUNK_PAGES;
use pintrace_common::limits;
use pintrace_common::watch::WatchFacts;

use super::facts::{Kernel, KernelFacts};
use super::layout::{self, UnknownLayout};
use super::plan::{self, Choice, Line};
use super::table::{Attachment, Candidate, HOOKS, Hook, Method, Purpose};
use super::watch_layout;

/// The eBPF objects, built by build.rs: for kernels that have what the programs of the first use, and for those
/// that have not ([`KernelFacts::bpf_loop`]).
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pintrace"));
static ELDER: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pintrace-elder"));

/// Why nothing can be loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The object was refused before any program.
    #[error("the kernel refused the eBPF maps: {}", root_cause(.0))]
    Object(#[from] aya::EbpfError),
}

/// Facts as a loader global.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct FactsGlobal(Facts);

// SAFETY: repr(C) of u32 fields only, so without padding; any bit pattern is valid.
unsafe impl aya::Pod for FactsGlobal {}

/// The same for those behind the findings.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct WatchGlobal(WatchFacts);

// SAFETY: as above.
unsafe impl aya::Pod for WatchGlobal {}

/// What is injected.
#[derive(Clone, Debug)]
pub struct Layouts {
    /// For the ledger.
    pub ledger: Facts,
    /// For the findings; where it is not known, they cannot be had.
    pub watch: Result<WatchFacts, UnknownLayout>,
}

impl Layouts {
    /// Those of a kernel.
    pub fn of(kernel: &Kernel) -> Result<Self, UnknownLayout> {
        Ok(Self {
            ledger: layout::facts(&kernel.types, kernel.facts.preemption)?,
            watch: watch_layout::watch_facts(&kernel.types, |function| kernel.facts.parameters(function)),
        })
    }
}

/// How the maps are dimensioned and what the programs log.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Look for findings as well.
    pub findings: Option<Wanted>,
    /// Other bounds for maps, by map name; tests make them tiny.
    pub map_entries: Vec<(&'static str, u32)>,
    /// Let the programs' debug messages through (needs the feature `bpf-log`).
    pub bpf_log: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            findings: Some(Wanted::default()),
            map_entries: Vec::new(),
            bpf_log: false,
        }
    }
}

/// Findings beyond the usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// On short-term pins too, which get extents for it.
    pub all: bool,
    /// On references that are no pins too.
    pub references: bool,
}

/// What became of one hook.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The hook.
    pub hook: &'static Hook,
    /// Result.
    pub status: Status,
    /// Followers are attached as well.
    pub twice: bool,
    /// What was tried before and why it failed.
    pub refused: Vec<String>,
}

/// Result of trying one hook.
#[derive(Clone, Debug)]
pub enum Status {
    /// Attached in this way.
    Attached(&'static Candidate),
    /// This kernel has no such function.
    NotHere,
    /// What it would stand in for is attached, or sees the same on this kernel.
    NotNeeded,
    /// It is there and nothing could be attached.
    Missing(String),
}

/// Loads the object that suits the kernel, with the layout injected. Nothing is attached yet.
pub fn load(
    kernel: &KernelFacts,
    layouts: &Layouts,
    btf: &Btf,
    options: &LoadOptions,
) -> Result<Ebpf, LoadError> {
    let facts = FactsGlobal(layouts.ledger);
    let wanted = options.findings.unwrap_or_default();
    let watch = WatchGlobal(WatchFacts {
        all: u32::from(wanted.all),
        references: u32::from(wanted.references),
        ..layouts.watch.clone().unwrap_or_default()
    });
    let log_level = u8::from(options.bpf_log) * LOG_DEBUG;
    let mut loader = EbpfLoader::new();
    loader
        .btf(Some(btf))
        .override_global("FACTS", &facts, true)
        .override_global("WATCH_FACTS", &watch, true)
        .override_global("AYA_LOG_LEVEL", &log_level, false)
        .map_max_entries("CHUNKS", folio_chunks(kernel.bpf_loop));
    if !kernel.bpf_loop {
        loader.map_max_entries("SHARED", limits::ELDER_SHARED_FOLIOS);
    }
    if layouts.ledger.two_turns == 0 {
        loader.map_max_entries("MARKS", limits::UNUSED);
    }
    if !wanted.references {
        loader.map_max_entries("REFERENCES", limits::UNUSED);
        loader.map_max_entries("REFERRERS", limits::UNUSED);
    }
    for (map, entries) in &options.map_entries {
        loader.map_max_entries(map, *entries);
    }
    Ok(loader.load(if kernel.bpf_loop { OBJECT } else { ELDER })?)
}

/// Chunks of the folio table for this machine's memory: twice over where they take memory when they are needed,
/// else a little more than enough.
fn folio_chunks(on_demand: bool) -> u32 {
    let memory = rustix::system::sysinfo();
    let pages = memory.totalram.saturating_mul(u64::from(memory.mem_unit)) >> 12;
    let chunks = pages / CHUNK_PAGES as u64;
    if !on_demand {
        let chunks = u32::try_from(chunks + chunks / 4 + 1024);
        return chunks.unwrap_or(limits::MOST_FOLIO_CHUNKS);
    }
    let chunks = (2 * chunks).next_power_of_two();
    let most = limits::MOST_FOLIO_CHUNKS;
    u32::try_from(chunks)
        .unwrap_or(most)
        .clamp(limits::FOLIO_CHUNKS, most)
}

/// aya-log's number for debug; 0 lets nothing through.
const LOG_DEBUG: u8 = 4;

/// What is to be tried on a kernel: the hooks for findings only if they are wanted, and their facts known.
pub fn plan(kernel: &KernelFacts, layouts: &Layouts, options: &LoadOptions) -> Vec<Line> {
    let mut plan = plan::plan(HOOKS, kernel);
    plan.retain(|line| match options.findings {
        None => !line.hook.is_watch(),
        Some(wanted) => wanted.references || !line.hook.purposes.contains(&Purpose::Reference),
    });
    if let Err(unknown) = &layouts.watch {
        let watching = plan.iter_mut().filter(|line| line.hook.is_watch());
        for line in watching.filter(|line| matches!(line.choice, Choice::Try(_))) {
            line.choice = Choice::Missing(unknown.to_string());
        }
    }
    plan
}

/// Tries every line of the plan, with followers if `twice`. Links live as long as `ebpf`.
pub fn attach(ebpf: &mut Ebpf, btf: &Btf, plan: Vec<Line>, twice: bool) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for line in plan {
        let needed = line.hook.stands_in_for.is_none_or(|other| {
            let tried = outcomes.iter().find(|outcome| outcome.hook.function == other);
            tried.is_none_or(|outcome| !matches!(outcome.status, Status::Attached(_)))
        });
        let outcome = if needed || matches!(line.choice, Choice::NotHere) {
            attach_line(ebpf, btf, line, twice)
        } else {
            Outcome::without(line.hook, Status::NotNeeded)
        };
        outcomes.push(outcome);
    }
    outcomes
}

impl Outcome {
    /// Nothing was tried.
    const fn without(hook: &'static Hook, status: Status) -> Self {
        Self {
            hook,
            status,
            twice: false,
            refused: Vec::new(),
        }
    }
}

fn attach_line(ebpf: &mut Ebpf, btf: &Btf, line: Line, twice: bool) -> Outcome {
    let hook = line.hook;
    let candidates = match line.choice {
        Choice::NotHere => return Outcome::without(hook, Status::NotHere),
        Choice::Spare => return Outcome::without(hook, Status::NotNeeded),
        Choice::Missing(why) => return Outcome::without(hook, Status::Missing(why)),
        Choice::Try(candidates) => candidates,
    };
    let mut refused = Vec::new();
    for candidate in candidates {
        match attach_candidate(ebpf, btf, hook, candidate, twice) {
            Ok(twice) => {
                return Outcome {
                    hook,
                    status: Status::Attached(candidate),
                    twice,
                    refused,
                };
            }
            Err(why) => refused.push(why),
        }
    }
    let why = refused.last().cloned();
    Outcome {
        hook,
        status: Status::Missing(why.unwrap_or_else(|| "no way to attach".to_owned())),
        twice: false,
        refused,
    }
}

/// Loads all programs of a candidate before attaching any. Gives whether followers are among them.
fn attach_candidate(
    ebpf: &mut Ebpf,
    btf: &Btf,
    hook: &Hook,
    candidate: &Candidate,
    twice: bool,
) -> Result<bool, String> {
    let twice = twice
        && candidate
            .attachments
            .iter()
            .all(|attachment| !attachment.followers.is_empty());
    let programs: Vec<_> = candidate
        .attachments
        .iter()
        .flat_map(|attachment| in_order(attachment, twice).map(|name| (attachment.method, name)))
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
    Ok(twice)
}

/// The programs of an attachment in the order in which to attach them, so that they run as the table says.
fn in_order(attachment: &'static Attachment, twice: bool) -> impl Iterator<Item = &'static str> {
    let followers = if twice { attachment.followers } else { &[] };
    let mut all: Vec<_> = [attachment.program].iter().chain(followers).copied().collect();
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

/// The innermost cause says what the kernel said.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(log) = verifier_log(error) {
        return log;
    }
    let mut cause = error;
    loop {
        // No C library has a text for it.
        if let Some(error) = cause.downcast_ref::<std::io::Error>()
            && error.raw_os_error() == Some(ENOTSUPP)
        {
            return "its trampoline cannot pass so many arguments (ENOTSUPP)".to_owned();
        }
        match cause.source() {
            Some(next) => cause = next,
            None => return cause.to_string(),
        }
    }
}

/// What `arch_prepare_bpf_trampoline` (arch/x86/net/bpf_jit_comp.c) returns for a function with more
/// arguments than it can pass; the kernel's own number, not in the C library's errno.h.
const ENOTSUPP: i32 = 524;

/// The verifier's last words, if it spoke.
fn verifier_log(error: &dyn std::error::Error) -> Option<String> {
    let text = error.to_string();
    let log = text.split_once("Verifier output:")?.1.trim();
    if std::env::var_os("PINTRACE_VERIFIER_LOG").is_some() {
        return Some(log.to_owned());
    }
    // 7.3 says it in a sentence, older kernels in the last line before the statistics.
    if let Some(reason) = log
        .lines()
        .find_map(|line| line.strip_prefix("Verification failed: "))
    {
        return Some(format!("the verifier says: {reason}"));
    }
    let statistics = ["processed ", "verification time", "stack depth", "subprog "];
    let reason = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !statistics.iter().any(|statistic| line.starts_with(statistic))
    };
    let last = log.lines().rev().find(reason)?.trim();
    Some(format!("the verifier says: {last}"))
}

/// Whether pins and releases are seen at all: without one of each there is nothing to trace.
pub fn sees_pins(outcomes: &[Outcome]) -> bool {
    [Purpose::Acquire, Purpose::Release].into_iter().all(|purpose| {
        outcomes.iter().any(|outcome| {
            outcome.hook.purposes.contains(&purpose) && matches!(outcome.status, Status::Attached(_))
        })
    })
}

/// Programs attached, with what for, where and how; followers left out.
pub fn attachments(outcomes: &[Outcome]) -> impl Iterator<Item = (&'static Hook, &'static Attachment)> {
    outcomes.iter().flat_map(|outcome| {
        let candidate = match outcome.status {
            Status::Attached(candidate) => candidate.attachments,
            _ => &[],
        };
        candidate.iter().map(|attachment| (outcome.hook, attachment))
    })
}

/// What an attachment serves: marks on entry tell retries apart, everything else is the first purpose.
pub fn purpose_of(hook: &Hook, attachment: &Attachment) -> Purpose {
    match (hook.purposes, attachment.method) {
        ([first, ..], _) if first.is_watch() => *first,
        ([_, second, ..], Method::Fentry) => *second,
        (all, _) => all.first().copied().unwrap_or(Purpose::Acquire),
    }
}
