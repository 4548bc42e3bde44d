//! Marks tasks that are inside a long-term pin call.
//!
//! A long-term pin call may pin pages that must not be pinned long-term (in ZONE_MOVABLE or CMA pageblocks), drop the pins,
//! migrate the pages and pin again (`__gup_longterm_locked`, `check_and_migrate_movable_pages`). The drop is part of the
//! pin call: the caller has released nothing.

use core::ffi::c_void;

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_get_current_pid_tgid};
use pintrace_common::counters::Loss;

use crate::map_ref::Lookup;
use crate::{count, facts::FACTS, kernel, ledger::state, maps};

/// Error of an insertion whose key exists.
const EEXIST: i32 = -17;

/// Returns true if the `gup_flags` contain `FOLL_LONGTERM`.
#[inline(always)]
pub fn is_longterm(flags: u64) -> bool {
    flags as u32 & FACTS.foll_longterm() != 0
}

/// Marks the running task on entry of a long-term call. Returns false if the task is marked already or the map is full.
#[inline(always)]
pub fn mark() -> bool {
    match maps::LONGTERM_CALLS.insert(bpf_get_current_pid_tgid(), 1, u64::from(BPF_NOEXIST)) {
        Ok(()) => {}
        Err(EEXIST) => return false,
        Err(_) => {
            count::loss(Loss::LongtermCallsFull, 1);
            return false;
        }
    }
    state::longterm_calls().add(1);
    true
}

/// Removes the mark on return of a long-term call. Returns false if the task is not marked.
#[inline(always)]
pub fn unmark() -> bool {
    if maps::LONGTERM_CALLS.remove(bpf_get_current_pid_tgid()).is_err() {
        return false;
    }
    state::longterm_calls().sub(1);
    true
}

/// Where a release comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// From code that releases pins.
    Outside,
    /// From a long-term pin call of the running task. A hook on another function counts the dropped pins.
    Counted,
    /// From a long-term pin call of the running task that drops pins although it migrates nothing: it fails.
    Failing,
}

/// Value of a mark: the call migrates pages.
pub const MIGRATES: u64 = 2;

/// Returns where a release of the running task comes from.
#[inline(always)]
pub fn of_release(ctx: *mut c_void) -> Scope {
    if state::longterm_calls().load() == 0 {
        return Scope::Outside;
    }
    let Some(mark) = maps::LONGTERM_CALLS.at(bpf_get_current_pid_tgid()) else {
        return Scope::Outside;
    };
    // An interrupt's releases have nothing to do with the task.
    if !kernel::on_task_stack(ctx) {
        Scope::Outside
    } else if state::counts_migrations() && mark.load() != MIGRATES {
        Scope::Failing
    } else {
        Scope::Counted
    }
}

/// Returns true if a release comes from inside a long-term pin call of the running task, and not from an interrupt.
#[inline(always)]
pub fn inside(ctx: *mut c_void) -> bool {
    of_release(ctx) != Scope::Outside
}
