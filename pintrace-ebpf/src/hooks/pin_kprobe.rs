//! Kprobes for functions without a trampoline: up to about 6.5, x86 cannot trace functions with more than six arguments
//! (arch/x86/net/bpf_jit_comp.c), such as `pin_user_pages_remote`.

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
    ledger::{acquire, longterm_scope, pin_call::PinCall, state::gate_is_open},
    maps,
    stacks::When,
    test_pins,
};

/// Runs on entry of pin_user_pages_remote(mm, start, nr, flags, pages, ...), and keeps the arguments for the return.
#[kprobe]
pub fn probe_pin_user_pages_remote(ctx: ProbeContext) -> u32 {
    if !gate_is_open() && !test_pins::is_running_thread() {
        return 0;
    }
    let flags = ctx.arg::<u64>(3).unwrap_or(0) & u64::from(u32::MAX);
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
    // The function does not nest on a task, so an entry is left of a return that the kretprobe missed.
    forget();
    if maps::PROBED.insert(bpf_get_current_pid_tgid(), call, 0).is_err() {
        // The return finds no arguments, so this call must leave no mark.
        count::loss(Loss::ProbeMissed, 1);
    } else if longterm_scope::is_longterm(flags) {
        longterm_scope::mark();
    }
    0
}

/// Runs on return of pin_user_pages_remote.
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
        if !gate_is_open() {
            test_pins::pintrace_test_pinned(call.array, call.pages);
            return 0;
        }
        acquire::acquired(ctx.as_ptr(), &call, When::Now);
    }
    0
}

/// Removes the entry and the mark that a missed return left, and counts the return. Runs also when a task exits: no
/// further call of the task would find the entry.
#[inline(always)]
pub fn forget() {
    let key = bpf_get_current_pid_tgid();
    // The look-up takes no lock, the removal does.
    if let Some(left) = maps::PROBED.at(key) {
        let longterm = longterm_scope::is_longterm(left.copy().flags);
        if maps::PROBED.remove(key).is_ok() {
            count::loss(Loss::ProbeMissed, 1);
            if longterm {
                longterm_scope::unmark();
            }
        }
    }
}
