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
    count, kprobe_registers,
    ledger::{
        acquire, longterm_scope,
        pin_call::PinCall,
        pin_calls::{self, Outcome},
        state::gate_is_open,
    },
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
    let call = PinCall {
        mm: ctx.arg(0).unwrap_or(0),
        address: ctx.arg::<u64>(1).unwrap_or(0) & !4095,
        flags,
        array: ctx.arg(4).unwrap_or(0),
        pages: 0,
        caller: kprobe_registers::caller(&ctx),
        of_file: 0,
    };
    // The function does not nest on a task, so an entry is left of a return that the kretprobe missed.
    forget();
    if maps::PROBED.insert(bpf_get_current_pid_tgid(), call, 0).is_err() {
        // The return finds no arguments, so this call must leave no mark.
        count::loss(Loss::ProbeMissed, 1);
    } else if longterm_scope::is_longterm(flags) {
        longterm_scope::enter_slow(ctx.as_ptr(), ctx.arg(2).unwrap_or(0));
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
    let pages: i64 = ctx.ret();
    if !gate_is_open() {
        if longterm_scope::is_longterm(call.flags) {
            longterm_scope::forget();
        }
        if pages > 0 {
            test_pins::pintrace_test_pinned(call.array, pages as u64);
        }
        return 0;
    }
    if pages == 0 && !longterm_scope::is_longterm(call.flags) {
        return 0;
    }
    call.pages = pages.max(0) as u64;
    let account = acquire::acquired(ctx.as_ptr(), &call, When::Now);
    let outcome = Outcome {
        // The registers of the entry are gone. The mark of a long-term call has the number.
        wanted: 0,
        pinned: call.pages,
        errno: if pages < 0 { pages.unsigned_abs() } else { 0 },
        fast: false,
    };
    pin_calls::ended(account, longterm_scope::is_longterm(call.flags), outcome);
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
                longterm_scope::forget();
            }
        }
    }
}
