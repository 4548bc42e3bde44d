//! Kprobes that stand in where a trampoline is refused: up to about 6.5 x86 cannot trace functions
//! of more than six arguments (arch/x86/net/bpf_jit_comp.c), such as `pin_user_pages_remote`.

use aya_ebpf::{
    EbpfContext,
    helpers::bpf_get_current_pid_tgid,
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};
use pintrace_common::counters::Loss;

use crate::map_ref::Lookup;
use crate::{
    count, kernel,
    ledger::{acquire, longterm_scope, pin_call::PinCall},
    maps,
    stacks::When,
};

/// Entry of pin_user_pages_remote(mm, start, nr, flags, pages, ...): keeps what the return needs.
#[kprobe]
pub fn probe_pin_user_pages_remote(ctx: ProbeContext) -> u32 {
    if !acquire::gate_is_open() {
        return 0;
    }
    let flags = ctx.arg::<u64>(3).unwrap_or(0) & u64::from(u32::MAX);
    if longterm_scope::is_longterm(flags) {
        longterm_scope::mark();
    }
    // SAFETY: the registers of the probed function.
    let stack = unsafe { (*ctx.regs).rsp };
    let call = PinCall {
        mm: ctx.arg(0).unwrap_or(0),
        address: ctx.arg::<u64>(1).unwrap_or(0) & !4095,
        flags,
        array: ctx.arg(4).unwrap_or(0),
        pages: 0,
        caller: kernel::u64_at(stack),
        of_file: 0,
    };
    if maps::PROBED.at(bpf_get_current_pid_tgid()).is_some() {
        // The function does not nest on a task: the last return was missed.
        count::loss(Loss::ProbeMissed, 1);
    }
    if maps::PROBED.insert(bpf_get_current_pid_tgid(), call, 0).is_err() {
        count::loss(Loss::CallTableFull, 1);
    }
    0
}

/// Return of pin_user_pages_remote.
#[kretprobe]
pub fn probe_return_pin_user_pages_remote(ctx: RetProbeContext) -> u32 {
    let key = bpf_get_current_pid_tgid();
    let Some(kept) = maps::PROBED.at(key) else {
        return 0;
    };
    // Only this task uses the entry.
    let mut call = kept.copy();
    let _ = maps::PROBED.remove(key);
    if longterm_scope::is_longterm(call.flags) {
        longterm_scope::unmark();
    }
    let pages: i64 = ctx.ret();
    if pages > 0 {
        call.pages = pages as u64;
        acquire::acquired(ctx.as_ptr(), &call, When::Now);
    }
    0
}

/// The running task exits: if its last return was missed, no further call of its would tell.
#[inline(always)]
pub fn forget() {
    let key = bpf_get_current_pid_tgid();
    // Looking takes no lock, removing does.
    if maps::PROBED.at(key).is_some() && maps::PROBED.remove(key).is_ok() {
        count::loss(Loss::ProbeMissed, 1);
    }
}
