//! The operation that a task is in: a fault that may copy, a fork, clear_refs, madvise or a scan of page tables.

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::map,
    maps::{Array, HashMap},
};
use pintrace_common::{counters::Loss, limits};

use crate::map_ref::{Lookup, MapRef, get};
use crate::{
    compat::loops::HASH_FLAGS,
    count,
    mm_events::per_tgid::{self, COUNTERS, PerTgidCounter},
};

/// State of the operation that a task is in.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct TaskContext {
    /// One of [`kind`].
    pub kind: u64,
    /// Address of the `mm_struct`.
    pub mm: u64,
    /// Address of the page that faults; for a fork, of the first page copied.
    pub address: u64,
    /// For a fork, the end of the last page copied.
    pub end: u64,
    /// Address of the `vm_fault`; for hugetlb, address of the struct page that is copied, once known.
    pub fault: u64,
    /// For a fork, the number of pages copied; for a fault, the number of TLB flushes by the kernel.
    pub pages: u64,
    /// Not 0 if the fault asks for an exclusive page to read (`FAULT_FLAG_UNSHARE`).
    pub unshare: u64,
    /// (tgid << 32 | cause) + 1 of the flush window that covers the fault; 0 for none.
    pub window: u64,
    /// Time when the operation began (monotonic ns).
    pub began_ns: u64,
    /// For madvise, the advice.
    pub advice: u64,
}

/// Kinds of operations, by the kernel function that a hook is on.
pub mod kind {
    /// `do_wp_page`.
    pub const WRITE: u64 = 1;
    /// `hugetlb_fault`.
    pub const HUGE: u64 = 2;
    /// `copy_page_range`.
    pub const FORK: u64 = 3;
    /// `clear_refs_write`.
    pub const CLEAR: u64 = 4;
    /// `do_madvise`.
    pub const ADVICE: u64 = 5;
    /// `do_pagemap_cmd`.
    pub const SCAN: u64 = 6;
}

/// Contexts by tgid << 32 | tid. If the kernel skips the program that removes a context, the thread's next context
/// overwrites the old one.
#[map]
static TASK_CONTEXTS: HashMap<u64, TaskContext> =
    HashMap::with_max_entries(limits::TASK_CONTEXTS, HASH_FLAGS);

/// Number of contexts by process. At 0 the hooks on every new page make no look-up.
#[map]
static TASK_CONTEXTS_ACTIVE: Array<PerTgidCounter> = Array::with_max_entries(COUNTERS, 0);

/// Returns true if any thread of the task's process has a context.
#[inline(always)]
fn any(task: u64) -> bool {
    per_tgid::any(&TASK_CONTEXTS_ACTIVE, (task >> 32) as u32)
}

#[inline(always)]
fn opened(task: u64, n: u64) {
    per_tgid::add(&TASK_CONTEXTS_ACTIVE, (task >> 32) as u32, n);
}

/// Stores the context of the running task.
#[inline(always)]
pub fn enter(context: &TaskContext) {
    let task = bpf_get_current_pid_tgid();
    // A context that was left behind by a skipped program is counted already.
    let fresh = TASK_CONTEXTS.at(task).is_none();
    if TASK_CONTEXTS.insert(task, context, 0).is_err() {
        count::loss(Loss::MmEventTableFull, 1);
    } else if fresh {
        opened(task, 1);
    }
}

/// Returns the context of the running task.
#[inline(always)]
pub fn current() -> Option<MapRef<TaskContext>> {
    let task = bpf_get_current_pid_tgid();
    if !any(task) {
        return None;
    }
    TASK_CONTEXTS.at(task)
}

/// Returns the context of the running task, if the context is of `kind`.
#[inline(always)]
pub fn current_of(kind: u64) -> Option<MapRef<TaskContext>> {
    // SAFETY: a live map value that only this task uses.
    current().filter(|&context| get!(context.kind) == kind)
}

/// Removes the context of the running task.
#[inline(always)]
pub fn leave() {
    let task = bpf_get_current_pid_tgid();
    // The look-up takes no lock, the removal does.
    if any(task) && TASK_CONTEXTS.at(task).is_some() && TASK_CONTEXTS.remove(task).is_ok() {
        opened(task, u64::MAX);
    }
}
