//! Loads programs into the kernel, several at once.
//!
//! The verifier takes most of the time of a start: some milliseconds to some hundred milliseconds for each program. The
//! kernel verifies programs of privileged processes in parallel (`bpf_check`, kernel/bpf/verifier.c).

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Mutex;
use std::thread;

use aya::programs::Program;
use aya::{Btf, Ebpf};

use super::table::Hook;
use pintrace_bpf::refusal::root_cause;

/// Maximum number of threads. The verifier allocates some MiB for each program.
const MOST_THREADS: usize = 16;

/// The outcome of loading, by program name. The error is the reason of the refusal.
pub(super) type LoadOutcomes = HashMap<&'static str, Result<(), String>>;

/// Loads the programs in parallel. Programs that are not in the object are left out.
pub(super) fn load_all(
    ebpf: &mut Ebpf,
    btf: &Btf,
    wanted: &HashMap<&'static str, &'static Hook>,
) -> LoadOutcomes {
    let programs: Vec<_> = ebpf
        .programs_mut()
        .filter_map(|(name, program)| {
            let (name, hook) = wanted.get_key_value(name)?;
            Some((*name, *hook, program))
        })
        .collect();
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = threads.min(MOST_THREADS).min(programs.len());
    let queue = Mutex::new(programs.into_iter());
    let next = || queue.lock().ok()?.next();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut outcomes = Vec::new();
                    while let Some((name, hook, program)) = next() {
                        outcomes.push((name, load(program, hook, btf)));
                    }
                    outcomes
                })
            })
            .collect();
        let outcomes = workers.into_iter().filter_map(|worker| worker.join().ok());
        outcomes.flatten().collect()
    })
}

/// Loads one program. The error is the reason of the refusal.
pub(super) fn load(program: &mut Program, hook: &Hook, btf: &Btf) -> Result<(), String> {
    match program {
        Program::FEntry(program) => program.load(hook.function, btf),
        Program::FExit(program) => program.load(hook.function, btf),
        Program::KProbe(program) => program.load(),
        Program::RawTracePoint(program) => program.load(),
        other => return Err(format!("unexpected type {:?}", other.prog_type())),
    }
    .map_err(|error| root_cause(&error))
}
