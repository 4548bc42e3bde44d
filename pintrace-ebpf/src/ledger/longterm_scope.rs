//! Long-term pin calls in flight: which tasks are inside one, since when, and where in the call.
//!
//! A long-term pin call may pin pages that must not be pinned long-term (in ZONE_MOVABLE or CMA pageblocks), drop the pins,
//! migrate the pages and pin again (`__gup_longterm_locked`, `check_and_migrate_movable_pages`). The drop is part of the
//! pin call: the caller has released nothing.
//!
//! An entry begins when the pin function or `__gup_longterm_locked` is entered, whichever a hook sees first, and ends when
//! the pin function returns. The pin functions do not nest on a task. So an entry that the entry of a pin function finds, or
//! one in the phase DONE, is left of a call whose return the kernel skipped, and gives way.

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, generated::bpf_get_current_cgroup_id};
use pintrace_common::{
    counters::Loss,
    pin_calls::{LongtermCall, NO_DESCRIPTOR, phase},
};

use crate::map_ref::{Lookup, MapRef, get, set, word};
use crate::{
    clock, count,
    facts::FACTS,
    kernel,
    ledger::{accounts, ended_calls, open_file, state},
    maps, stacks,
};

/// Returns true if the `gup_flags` contain `FOLL_LONGTERM`.
#[inline(always)]
pub fn is_longterm(flags: u64) -> bool {
    flags as u32 & FACTS.foll_longterm() != 0
}

/// Records on entry of a pin function that the running task makes a long-term call for `wanted` pages.
#[inline(always)]
pub fn begin(wanted: u64) {
    if of_task().is_some_and(is_slow) {
        state::longterm_calls().sub(1);
    }
    insert(phase::FAST, wanted);
}

/// Records that the running task's long-term call enters `__gup_longterm_locked`, or the only function that does the work.
/// Returns false if that is recorded already or the map is full.
#[inline(always)]
pub fn enter_slow(ctx: *mut c_void, wanted: u64) -> bool {
    let found = of_task();
    let now = found.map_or(phase::DONE, |call| word!(call.phase).load());
    if now == phase::SLOW || now == phase::MIGRATES {
        return false;
    }
    match found {
        Some(call) if now == phase::FAST => word!(call.phase).store(phase::SLOW),
        _ if insert(phase::SLOW, wanted) => {}
        _ => return false,
    }
    state::longterm_calls().add(1);
    // Last: unwinding takes long, and the kernel may skip the program for other threads meanwhile.
    if let Some(call) = of_task() {
        let file = open_file::pintrace_open_file();
        set!(call.file = file);
        set!(call.descriptor = open_file::pintrace_descriptor());
        // A thread may pin by several subsystems, and each has open files of its own.
        let account = accounts::pintrace_recent_on_file(bpf_get_current_pid_tgid(), file);
        set!(call.account = account);
        if account == 0 {
            set!(call.stack = stacks::take(ctx));
        }
        ended_calls::remember(call);
    }
    true
}

/// Records that the running task's long-term call leaves `__gup_longterm_locked`. Returns false if the task is not there.
#[inline(always)]
pub fn leave_slow() -> bool {
    let Some(call) = of_task() else {
        return false;
    };
    if !is_slow(call) {
        return false;
    }
    word!(call.phase).store(phase::DONE);
    state::longterm_calls().sub(1);
    true
}

/// Records that the running task's long-term call has returned. Its pages are not in the ledger yet.
#[inline(always)]
pub fn returned() {
    if let Some(call) = of_task() {
        if is_slow(call) {
            state::longterm_calls().sub(1);
        }
        word!(call.phase).store(phase::COUNTED);
    }
}

/// Removes the entry of a call, once its pages are in the ledger: until then they are the pages of a call in flight.
#[inline(always)]
pub fn forget() {
    forget_of(bpf_get_current_pid_tgid());
}

/// Removes the entry of a task's call.
#[inline(always)]
pub fn forget_of(task: u64) {
    if maps::LONGTERM_CALLS.at(task).is_some_and(is_slow) {
        state::longterm_calls().sub(1);
    }
    let _ = maps::LONGTERM_CALLS.remove(task);
}

/// Adds pins that the running task's long-term call has dropped again.
#[inline(always)]
pub fn count_dropped(pins: u64) {
    if let Some(call) = of_task() {
        word!(call.dropped).add(pins);
    }
}

/// Adds pages that the kernel has migrated for the running task's long-term call.
#[inline(always)]
pub fn count_moved(pages: u64) {
    if let Some(call) = of_task()
        && is_slow(call)
    {
        word!(call.moved).add(pages);
    }
}

/// Returns the long-term call of the running task.
#[inline(always)]
pub fn of_task() -> Option<MapRef<LongtermCall>> {
    maps::LONGTERM_CALLS.at(bpf_get_current_pid_tgid())
}

#[inline(always)]
fn is_slow(call: MapRef<LongtermCall>) -> bool {
    let phase = get!(call.phase);
    phase == phase::SLOW || phase == phase::MIGRATES
}

#[inline(always)]
fn insert(phase: u64, wanted: u64) -> bool {
    let call = LongtermCall {
        phase,
        began_ns: clock::time(),
        wanted,
        dropped: 0,
        moved: 0,
        file: 0,
        descriptor: NO_DESCRIPTOR,
        account: 0,
        stack: -1,
        registers: 0,
        system_call: 0,
        // SAFETY: no arguments.
        cgroup: unsafe { bpf_get_current_cgroup_id() },
    };
    if maps::LONGTERM_CALLS
        .insert(bpf_get_current_pid_tgid(), call, 0)
        .is_err()
    {
        count::loss(Loss::LongtermCallsFull, 1);
        return false;
    }
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

/// Returns where a release of the running task comes from.
#[inline(always)]
pub fn of_release(ctx: *mut c_void) -> Scope {
    if state::longterm_calls().load() == 0 {
        return Scope::Outside;
    }
    let Some(call) = of_task() else {
        return Scope::Outside;
    };
    // An interrupt's releases have nothing to do with the task.
    if !is_slow(call) || !kernel::on_task_stack(ctx) {
        Scope::Outside
    } else if state::counts_migrations() && get!(call.phase) != phase::MIGRATES {
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
