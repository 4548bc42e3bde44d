//! Marking tasks that are inside a long-term pin call.
//!
//! Such a call may pin pages, find them where they must not stay (CMA, ZONE_MOVABLE), drop them
//! again through the exported unpin functions, migrate them and pin anew
//! (`__gup_longterm_locked`, `check_and_migrate_movable_pages`). Those releases are the kernel's own.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use pintrace_common::counters::Loss;

use crate::{atomic::Word, count, facts, kernel, maps};

/// Entry of a pin function: marks the task if the call is a long-term one.
#[inline(always)]
pub fn enter(flags: u64) {
    if flags as u32 & facts::foll_longterm() == 0 {
        return;
    }
    mark();
}

/// Entry of a pin function that always pins long-term.
#[inline(always)]
pub fn mark() {
    if maps::CALLS.insert(bpf_get_current_pid_tgid(), 1, 0).is_err() {
        count::loss(Loss::CallSlotsFull, 1);
        return;
    }
    if let Some(open) = maps::CALLS_OPEN.get_ptr_mut(0) {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(open) }.add(1);
    }
}

/// Return of a pin function.
#[inline(always)]
pub fn leave(flags: u64) {
    if flags as u32 & facts::foll_longterm() != 0 {
        unmark();
    }
}

/// Return of a pin function that always pins long-term.
#[inline(always)]
pub fn unmark() {
    if maps::CALLS.remove(bpf_get_current_pid_tgid()).is_err() {
        return;
    }
    if let Some(open) = maps::CALLS_OPEN.get_ptr_mut(0) {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(open) }.sub(1);
    }
}

/// Whether a release comes from inside a pin call of the same task.
#[inline(always)]
pub fn inside(ctx: *mut c_void) -> bool {
    if maps::CALLS_OPEN.get(0).copied().unwrap_or(0) == 0 {
        return false;
    }
    maps::CALLS.get_ptr(bpf_get_current_pid_tgid()).is_some() && kernel::on_task_stack(ctx)
}
