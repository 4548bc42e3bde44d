//! Reports that a process with an account executes a new program: its descriptors and pins stay, its names change.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::raw_tracepoint, programs::RawTracePointContext};
use pintrace_common::wire;

use crate::map_ref::{Lookup, set};
use crate::{clock, kernel, ledger::state::gate_is_open, maps, observer, ring};

/// Runs on sched:sched_process_exec, in exec_binprm (fs/exec.c), when the task has the new mm and the new name.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn process_exec(_ctx: RawTracePointContext) -> i32 {
    if !gate_is_open() {
        return 0;
    }
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let Some(process) = maps::PROCESSES.at(tgid) else {
        return 0;
    };
    // The accounts of the process's own mm stay.
    set!(process.mm = kernel::current_mm());
    observer::on_account(0);
    let header = wire::Header {
        kind: wire::kind::PROCESS_EXECED,
        id: tgid,
        time_ns: clock::time(),
    };
    ring::emit(wire::ProcessExeced { header });
    0
}
