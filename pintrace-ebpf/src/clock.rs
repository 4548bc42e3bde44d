//! The clock of the programs: CLOCK_MONOTONIC, as user space reads it.

use aya_ebpf::helpers::{bpf_ktime_get_ns, generated::bpf_jiffies64};

use crate::ledger::state;

/// Returns the monotonic time in ns.
#[inline(always)]
pub fn time() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_ktime_get_ns() }
}

/// Returns the monotonic time in ns, late by a timer tick at most. A program reads the clock once in each tick.
#[inline(always)]
pub fn coarse_time() -> u64 {
    // SAFETY: no arguments.
    let tick = unsafe { bpf_jiffies64() };
    if state::coarse_tick().load() == tick {
        return state::coarse_ns().load();
    }
    let now = time();
    // In this order: a program that sees the tick sees its time, or a later one.
    state::coarse_ns().store(now);
    state::coarse_tick().store(tick);
    now
}
