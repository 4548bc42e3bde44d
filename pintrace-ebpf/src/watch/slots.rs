//! What a task is in the middle of: a fault that may copy, a fork, a look at what is dirty.

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::map,
    maps::{Array, LruHashMap},
};
use pintrace_common::limits;

use crate::atomic::Word;

/// What a task is in the middle of.
#[derive(Clone, Copy)]
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
    /// Pages copied by a fork.
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
}

/// By tgid << 32 | tid. What a skipped program leaves behind makes room in time.
#[map]
static SLOTS: LruHashMap<u64, Slot> = LruHashMap::with_max_entries(limits::FAULTS, 0);

/// How many are in use: spares the hooks on every new page a look-up.
#[map]
static SLOTS_OPEN: Array<u64> = Array::with_max_entries(1, 0);

/// Whether any task is in the middle of something.
#[inline(always)]
pub fn any() -> bool {
    SLOTS_OPEN.get(0).copied().unwrap_or(0) != 0
}

#[inline(always)]
fn opened(n: u64) {
    if let Some(open) = SLOTS_OPEN.get_ptr_mut(0) {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(open) }.add(n);
    }
}

/// Opens the running task's slot.
#[inline(always)]
pub fn open(slot: &Slot) {
    let task = bpf_get_current_pid_tgid();
    // One that is left over from a program that was skipped was counted.
    let fresh = SLOTS.get_ptr(task).is_none();
    if SLOTS.insert(task, slot, 0).is_ok() && fresh {
        opened(1);
    }
}

/// The running task's slot.
#[inline(always)]
pub fn mine() -> Option<*mut Slot> {
    if !any() {
        return None;
    }
    SLOTS.get_ptr_mut(bpf_get_current_pid_tgid())
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
    if any() && SLOTS.remove(bpf_get_current_pid_tgid()).is_ok() {
        opened(u64::MAX);
    }
}
