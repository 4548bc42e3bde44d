//! Reports the exit of the last thread of a process, and removes the state that the calls of an exiting thread left
//! behind.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::raw_tracepoint, programs::RawTracePointContext};
use pintrace_common::wire;

use crate::map_ref::{Lookup, word};
use crate::{
    backup::Role,
    clock,
    facts::FACTS,
    hooks::pin_kprobe,
    kernel,
    ledger::{longterm_scope, state::gate_is_open},
    maps, ring,
};

/// Runs on sched:sched_process_exit, in do_exit (kernel/exit.c), after the kernel has lowered `signal->live`.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn process_exit(_ctx: RawTracePointContext) -> i32 {
    exited(Role::Primary)
}

/// Is the backup of [`process_exit`].
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn process_exit_backup(_ctx: RawTracePointContext) -> i32 {
    exited(Role::LastBackup)
}

#[inline(always)]
fn exited(role: Role) -> i32 {
    if !gate_is_open() {
        return 0;
    }
    pin_kprobe::forget();
    // An entry is left only if the kernel skipped a return.
    longterm_scope::forget();
    let task = kernel::current_task();
    let Some(signal) = kernel::read_u64(task + u64::from(FACTS.task_signal())) else {
        return 0;
    };
    if kernel::read_u32(signal + u64::from(FACTS.signal_live())) != Some(0) {
        return 0;
    }
    // If a signal ended the process, `group_exit_code` has the code. If the process called exit, either field has the
    // code.
    let group = kernel::u32_at(signal + u64::from(FACTS.signal_group_exit_code()));
    let own = kernel::u32_at(task + u64::from(FACTS.task_exit_code()));
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // The entry is gone if the primary program has run.
    let Some(owner) = maps::PROCESSES.at(tgid) else {
        return 0;
    };
    role.recovered();
    let longterm_pages_held = word!(owner.longterm_pages_held).load();
    let _ = maps::PROCESSES.remove(tgid);
    let header = wire::Header {
        kind: wire::kind::PROCESS_EXITED,
        id: tgid,
        time_ns: clock::time(),
    };
    let exit_code = if group != 0 { group } else { own };
    ring::emit(wire::ProcessExited {
        header,
        exit_code,
        reserved: 0,
        longterm_pages_held,
    });
    0
}
