//! Trying the plan against the running kernel: load, attach, and keep the reason where that fails.
//! A trial attach decides, not a listing.

use std::path::Path;

use aya::programs::Program;
use aya::{Btf, Ebpf, EbpfLoader, Endianness};
use pintrace_common::facts::Facts;

use super::plan::{Choice, Line};
use super::table::{Attachment, Candidate, Hook, Method, Purpose};

/// The eBPF object, built by build.rs.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pintrace"));

/// Why nothing can be loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The object was refused before any program.
    #[error("the kernel refused the eBPF maps: {0}")]
    Object(#[from] aya::EbpfError),
    /// BTF could not be read a second time, for the loader.
    #[error("the loader cannot use the kernel's BTF: {0}")]
    Btf(#[from] aya::BtfError),
}

/// Facts as a loader global.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct FactsGlobal(Facts);

// SAFETY: repr(C) of u32 fields only, so without padding; any bit pattern is valid.
unsafe impl aya::Pod for FactsGlobal {}

/// How the maps are dimensioned and what the programs log.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Other bounds for maps, by map name; tests make them tiny.
    pub map_entries: Vec<(&'static str, u32)>,
    /// Let the programs' debug messages through (needs the feature `bpf-log`).
    pub bpf_log: bool,
}

/// What became of one hook.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The hook.
    pub hook: &'static Hook,
    /// Result.
    pub status: Status,
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
    /// It is there and nothing could be attached.
    Missing(String),
}

/// Loads the object with the facts injected. Nothing is attached yet.
pub fn load(facts: Facts, btf: &Path, options: &LoadOptions) -> Result<(Ebpf, Btf), LoadError> {
    let btf = Btf::parse_file(btf, Endianness::default())?;
    let facts = FactsGlobal(facts);
    let log_level = u8::from(options.bpf_log) * LOG_DEBUG;
    let mut loader = EbpfLoader::new();
    loader
        .btf(Some(&btf))
        .override_global("FACTS", &facts, true)
        .override_global("AYA_LOG_LEVEL", &log_level, false);
    for (map, entries) in &options.map_entries {
        loader.map_max_entries(map, *entries);
    }
    let ebpf = loader.load(OBJECT)?;
    Ok((ebpf, btf))
}

/// aya-log's number for debug; 0 lets nothing through.
const LOG_DEBUG: u8 = 4;

/// Tries every line of the plan. Links live as long as `ebpf`.
pub fn attach(ebpf: &mut Ebpf, btf: &Btf, plan: Vec<Line>) -> Vec<Outcome> {
    plan.into_iter()
        .map(|line| attach_line(ebpf, btf, line))
        .collect()
}

fn attach_line(ebpf: &mut Ebpf, btf: &Btf, line: Line) -> Outcome {
    let hook = line.hook;
    let mut refused = Vec::new();
    let status = match line.choice {
        Choice::NotHere => Status::NotHere,
        Choice::Missing(why) => Status::Missing(why),
        Choice::Try(candidates) => {
            let mut status = None;
            for candidate in candidates {
                match attach_candidate(ebpf, btf, hook, candidate) {
                    Ok(()) => {
                        status = Some(Status::Attached(candidate));
                        break;
                    }
                    Err(why) => refused.push(why),
                }
            }
            status.unwrap_or_else(|| {
                Status::Missing(
                    refused
                        .last()
                        .cloned()
                        .unwrap_or_else(|| "no way to attach".to_owned()),
                )
            })
        }
    };
    Outcome {
        hook,
        status,
        refused,
    }
}

/// Loads all programs of a candidate before attaching any.
fn attach_candidate(ebpf: &mut Ebpf, btf: &Btf, hook: &Hook, candidate: &Candidate) -> Result<(), String> {
    let describe = |attachment: &Attachment, step: &str, error: &(dyn std::error::Error + 'static)| {
        format!(
            "{} refused to {step}: {}",
            attachment.method.as_str(),
            root_cause(error)
        )
    };
    for attachment in candidate.attachments {
        let program = program(ebpf, attachment)?;
        let loaded = match program {
            Program::FEntry(program) => program.load(hook.function, btf),
            Program::FExit(program) => program.load(hook.function, btf),
            Program::KProbe(program) => program.load(),
            Program::RawTracePoint(program) => program.load(),
            other => return Err(format!("unexpected kind of program: {:?}", other.prog_type())),
        };
        loaded.map_err(|error| describe(attachment, "load", &error))?;
    }
    for attachment in candidate.attachments {
        let attached = match program(ebpf, attachment)? {
            Program::FEntry(program) => program.attach().map(drop),
            Program::FExit(program) => program.attach().map(drop),
            Program::KProbe(program) => program.attach(hook.function, 0).map(drop),
            Program::RawTracePoint(program) => program.attach(hook.function).map(drop),
            other => return Err(format!("unexpected kind of program: {:?}", other.prog_type())),
        };
        attached.map_err(|error| describe(attachment, "attach", &error))?;
    }
    Ok(())
}

fn program<'e>(ebpf: &'e mut Ebpf, attachment: &Attachment) -> Result<&'e mut Program, String> {
    ebpf.program_mut(attachment.program)
        .ok_or_else(|| format!("program {} is not in the eBPF object", attachment.program))
}

/// The innermost cause says what the kernel said.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
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
    // Its statistics come after the reason.
    let statistics = ["processed ", "verification time", "stack depth"];
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

/// Programs attached, with what for, where and how.
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
        ([_, second, ..], Method::Fentry | Method::Kprobe) => *second,
        (all, _) => all.first().copied().unwrap_or(Purpose::Acquire),
    }
}
