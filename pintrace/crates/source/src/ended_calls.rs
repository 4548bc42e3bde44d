//! Looks for long-term calls that have ended although no hook saw their return (`ledger/ended_calls.rs` of the eBPF crate).

use std::os::fd::AsFd as _;

use aya::Ebpf;
use aya::programs::ProgramFd;

use super::ledger::LedgerError;
use super::pin_calls::PinCallTables;
use super::run_program::load;
use pintrace_bpf::test_run::test_run;

/// Age of the calls to look at (ns). Most calls are shorter, and a return that comes late is seen.
const MIN_AGE_NS: u64 = 2_000_000_000;

/// The loaded program.
pub struct EndedCalls(ProgramFd);

impl EndedCalls {
    /// Name of the program.
    pub const PROGRAM: &'static str = "forget_ended_call";

    /// Loads the program of a loaded object.
    pub fn take(ebpf: &mut Ebpf) -> Result<Self, LedgerError> {
        Ok(Self(load(ebpf, Self::PROGRAM)?))
    }

    /// Removes the entries of calls whose task has left the system call. The program counts them as
    /// [`pintrace_common::counters::Loss::ReturnUnseen`].
    pub(super) fn forget(&self, calls: &PinCallTables) -> Result<(), LedgerError> {
        for task in calls.tasks_since(MIN_AGE_NS)? {
            test_run(self.0.as_fd(), &[task]).map_err(LedgerError::Run)?;
        }
        Ok(())
    }
}
