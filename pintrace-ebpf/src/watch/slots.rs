//! What a task is in the middle of: a fault that may copy, a fork, a look at what is dirty.

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::map,
    maps::{Array, HashMap},
};
use pintrace_common::{counters::Loss, limits};

use crate::{count, loops::ON_DEMAND};

use super::tally::{self, PLACES, Tally};

/// What a task is in the middle of.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Slot {
    /// One of [`kind`].
    pub kind: u64,
    /// The address space.
    pub space: u64,
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
static SLOTS: HashMap<u64, Slot> = HashMap::with_max_entries(limits::FAULTS, ON_DEMAND);

/// How many are in use: spares the hooks on every new page a look-up.
#[map]
static SLOTS_OPEN: Array<Tally> = Array::with_max_entries(PLACES, 0);

/// Whether any task of a thread's process is in the middle of something.
#[inline(always)]
fn any(task: u64) -> bool {
    tally::any(&SLOTS_OPEN, (task >> 32) as u32)
}

#[inline(always)]
fn opened(task: u64, n: u64) {
    tally::add(&SLOTS_OPEN, (task >> 32) as u32, n);
}

/// Opens the running task's slot.
#[inline(always)]
pub fn open(slot: &Slot) {
    let task = bpf_get_current_pid_tgid();
    // One that is left over from a program that was skipped was counted.
    let fresh = SLOTS.get_ptr(task).is_none();
    if SLOTS.insert(task, slot, 0).is_err() {
        count::loss(Loss::WatchFull, 1);
    } else if fresh {
        opened(task, 1);
    }
}

/// The running task's slot.
#[inline(always)]
pub fn mine() -> Option<*mut Slot> {
    let task = bpf_get_current_pid_tgid();
    if !any(task) {
        return None;
    }
    SLOTS.get_ptr_mut(task)
}

/// The same, if it is of that kind.
#[inline(always)]
pub fn mine_of(kind: u64) -> Option<*mut Slot> {
    // SAFETY: a live map value that only this task uses.
    mine().filter(|slot| unsafe { (**slot).kind } == kind)
}

/// Closes it.
#[inline(always)]
pub fn close() {
    let task = bpf_get_current_pid_tgid();
    // Looking takes no lock, removing does.
    if any(task) && SLOTS.get_ptr(task).is_some() && SLOTS.remove(task).is_ok() {
        opened(task, u64::MAX);
    }
}
