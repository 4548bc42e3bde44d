//! The programs that user space runs by `BPF_PROG_TEST_RUN`, and no hook calls.

use aya::Ebpf;
use aya::programs::{Program, ProgramFd};

use super::ledger::LedgerError;

/// Loads such a program of a loaded object.
pub(super) fn load(ebpf: &mut Ebpf, name: &'static str) -> Result<ProgramFd, LedgerError> {
    let refused = |error: aya::programs::ProgramError| LedgerError::Program {
        name,
        why: pintrace_bpf::refusal::root_cause(&error),
    };
    match ebpf.program_mut(name) {
        Some(Program::RawTracePoint(program)) => {
            program.load().map_err(refused)?;
            let fd = program.fd().map_err(refused)?;
            fd.try_clone().map_err(LedgerError::Run)
        }
        _ => Err(LedgerError::NoProgram(name)),
    }
}
