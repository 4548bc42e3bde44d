//! The operation that a task is in: a fault that may copy, a fork, clear_refs or madvise.

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::map,
    maps::{Array, HashMap},
};
use pintrace_common::{counters::Loss, limits};

use crate::map_ref::{Lookup, MapRef, get};
use crate::{
    compat::loops::ON_DEMAND,
    count,
    mm_events::per_tgid::{self, COUNTERS, PerTgidCounter},
};

/// What a task is in the middle of.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct TaskContext {
    /// One of [`kind`].
    pub kind: u64,
    /// The address space.
    pub mm: u64,
    /// The page that faults; for a fork the first page copied.
    pub address: u64,
    /// For a fork, after the last page copied.
    pub end: u64,
    /// The `vm_fault`, or for hugetlb the page that is copied once that is known.
    pub fault: u64,
    /// Pages copied by a fork; for a fault, how often the kernel has flushed translations.
    pub pages: u64,
    /// The fault wants a page of its own to read.
    pub unshare: u64,
    /// tgid << 32 | cause of the window that covers the fault, plus one; 0 for none.
    pub window: u64,
    /// When it began (monotonic ns).
    pub began_ns: u64,
}

/// Kinds of slots.
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
}

/// By tgid << 32 | tid. What a skipped program leaves behind is taken over by the thread's next one.
#[map]
static TASK_CONTEXTS: HashMap<u64, TaskContext> = HashMap::with_max_entries(limits::TASK_CONTEXTS, ON_DEMAND);

/// How many are in use: spares the hooks on every new page a look-up.
#[map]
static TASK_CONTEXTS_ACTIVE: Array<PerTgidCounter> = Array::with_max_entries(COUNTERS, 0);

/// Whether any task of a thread's process is in the middle of something.
#[inline(always)]
fn any(task: u64) -> bool {
    per_tgid::any(&TASK_CONTEXTS_ACTIVE, (task >> 32) as u32)
}

#[inline(always)]
fn opened(task: u64, n: u64) {
    per_tgid::add(&TASK_CONTEXTS_ACTIVE, (task >> 32) as u32, n);
}

/// Opens the running task's slot.
#[inline(always)]
pub fn enter(context: &TaskContext) {
    let task = bpf_get_current_pid_tgid();
    // One that is left over from a program that was skipped was counted.
    let fresh = TASK_CONTEXTS.at(task).is_none();
    if TASK_CONTEXTS.insert(task, context, 0).is_err() {
        count::loss(Loss::MmEventTableFull, 1);
    } else if fresh {
        opened(task, 1);
    }
}

/// The running task's slot.
#[inline(always)]
pub fn current() -> Option<MapRef<TaskContext>> {
    let task = bpf_get_current_pid_tgid();
    if !any(task) {
        return None;
    }
    TASK_CONTEXTS.at(task)
}

/// The same, if it is of that kind.
#[inline(always)]
pub fn current_of(kind: u64) -> Option<MapRef<TaskContext>> {
    // SAFETY: a live map value that only this task uses.
    current().filter(|&context| get!(context.kind) == kind)
}

/// Closes it.
#[inline(always)]
pub fn leave() {
    let task = bpf_get_current_pid_tgid();
    // Looking takes no lock, removing does.
    if any(task) && TASK_CONTEXTS.at(task).is_some() && TASK_CONTEXTS.remove(task).is_ok() {
        opened(task, u64::MAX);
    }
}
