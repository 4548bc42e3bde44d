//! Marks tasks that are inside a long-term pin call.
//!
//! Such a call may pin pages, find them where they must not stay (CMA, ZONE_MOVABLE), drop them through the exported unpin
//! functions, migrate them and pin again (`__gup_longterm_locked`, `check_and_migrate_movable_pages`). Those releases are
//! the kernel's own.

use core::ffi::c_void;

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_get_current_pid_tgid};
use pintrace_common::counters::Loss;

use crate::map_ref::Lookup;
use crate::{count, facts::FACTS, kernel, maps};

/// What an insertion gives that finds the key there.
const EEXIST: i32 = -17;

/// Whether such flags make a call a long-term one.
#[inline(always)]
pub fn is_longterm(flags: u64) -> bool {
    flags as u32 & FACTS.foll_longterm() != 0
}

/// Entry of a long-term call: marks the task. False if it is marked already, or cannot be.
#[inline(always)]
pub fn mark() -> bool {
    match maps::LONGTERM_CALLS.insert(bpf_get_current_pid_tgid(), 1, u64::from(BPF_NOEXIST)) {
        Ok(()) => {}
        Err(EEXIST) => return false,
        Err(_) => {
            count::loss(Loss::CallTableFull, 1);
            return false;
        }
    }
    if let Some(open) = maps::LONGTERM_CALLS_ACTIVE.at(0) {
        open.word().add(1);
    }
    true
}

/// Return of a long-term call. False if the task is not marked.
#[inline(always)]
pub fn unmark() -> bool {
    if maps::LONGTERM_CALLS.remove(bpf_get_current_pid_tgid()).is_err() {
        return false;
    }
    if let Some(open) = maps::LONGTERM_CALLS_ACTIVE.at(0) {
        open.word().sub(1);
    }
    true
}

/// Whether a release comes from inside a pin call of the same task.
#[inline(always)]
pub fn inside(ctx: *mut c_void) -> bool {
    if maps::LONGTERM_CALLS_ACTIVE.get(0).copied().unwrap_or(0) == 0 {
        return false;
    }
    maps::LONGTERM_CALLS.at(bpf_get_current_pid_tgid()).is_some() && kernel::on_task_stack(ctx)
}
