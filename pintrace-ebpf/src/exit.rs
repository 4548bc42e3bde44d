//! The last thread of a process exits: tell user space, which forgets or keeps it. Of each thread that exits, what its
//! calls left behind is taken away.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::raw_tracepoint, programs::RawTracePointContext};
use pintrace_common::wire;

use crate::{
    accounts, acquire::gate_is_open, atomic::Word, facts, hooks_probe, kernel, maps, ring, turns::Turn,
};

/// sched:sched_process_exit, in do_exit (kernel/exit.c), after `signal->live` was lowered.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn process_exit(_ctx: RawTracePointContext) -> i32 {
    exited(Turn::First)
}

/// Its second copy.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn process_exit_again(_ctx: RawTracePointContext) -> i32 {
    exited(Turn::Last)
}

#[inline(always)]
fn exited(turn: Turn) -> i32 {
    if !gate_is_open() {
        return 0;
    }
    hooks_probe::forget();
    let task = kernel::current_task();
    let Some(signal) = kernel::read_u64(task + u64::from(facts::task_signal())) else {
        return 0;
    };
    if kernel::read_u32(signal + u64::from(facts::signal_live())) != Some(0) {
        return 0;
    }
    // A process that a signal ends has the code in the group's field, one that called exit in either.
    let group = kernel::u32_at(signal + u64::from(facts::signal_group_exit_code()));
    let own = kernel::u32_at(task + u64::from(facts::task_exit_code()));
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // Gone if the first copy was here.
    let Some(owner) = maps::OWNERS.get_ptr_mut(tgid) else {
        return 0;
    };
    turn.made_good();
    // SAFETY: a map value that the running program keeps alive, accessed atomically.
    let longterm_pages_held = unsafe { Word::at(&raw mut (*owner).longterm_pages_held) }.load();
    let _ = maps::OWNERS.remove(tgid);
    let header = wire::Header {
        kind: wire::kind::PROCESS_EXITED,
        id: tgid,
        time_ns: accounts::time(),
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
