//! Events inside the pending-flush windows of other threads: write faults and pins.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use pintrace_common::mm_events::{cause, flush_check};

use crate::map_ref::Lookup;
use crate::{
    facts::MM_EVENT_FACTS,
    kernel,
    ledger::state,
    mm_events::flush_window::{
        active::{any, any_of, pintrace_overlapping_window},
        stats,
    },
};

/// Number of faults by [`flush_check`].
#[map]
static FLUSH_CHECK: PerCpuArray<u64> = PerCpuArray::with_max_entries(flush_check::COUNT, 0);

/// Counts a write fault in the window that covers its address, and returns the id of the window. Returns 0 if there is
/// no such window, or if the kernel's own count of pending flushes is 0. The caller holds the page table lock, under
/// which the kernel relies on its count as well (`inc_tlb_flush_pending`, include/linux/mm_types.h).
#[inline(always)]
pub fn fault(mm: u64, address: u64) -> u64 {
    let pending = kernel::u32_at(mm + MM_EVENT_FACTS.flush_pending()) != 0;
    let window = pintrace_overlapping_window(mm, address, address + 4096);
    let which = match (window != 0, pending) {
        (true, true) => flush_check::AGREED,
        (true, false) => flush_check::COVERED,
        (false, true) => flush_check::PENDING,
        (false, false) => return 0,
    };
    if let Some(counter) = FLUSH_CHECK.at(which) {
        counter.word().add(1);
    }
    // A window begins shortly before the kernel's pending flush, and ends shortly after the flush.
    if window == 0 || !pending {
        return 0;
    }
    stats::add_event(window, stats::WindowEvent::Fault, address);
    window
}

/// Returns true if the window with this id ([`stats::id`]) is by userfaultfd, so that other threads may write. NUMA
/// hinting removes the permission to read too, and for the other causes `mmap_lock` excludes faults.
#[inline(always)]
pub fn is_uffd_wp(window: u64) -> bool {
    window != 0 && (window - 1) as u32 == cause::UFFD_WP
}

/// Returns true if a window covers the address of a fault and the kernel's flush is still pending.
#[inline(always)]
pub fn still(mm: u64, address: u64) -> bool {
    let pending = kernel::u32_at(mm + MM_EVENT_FACTS.flush_pending()) != 0;
    pending && pintrace_overlapping_window(mm, address, address + 4096) != 0
}

/// Counts pages that were pinned inside a window of another thread.
#[inline(always)]
pub fn pinned(mm: u64, address: u64, pages: u64) {
    if state::open_windows().load() == 0 {
        return;
    }
    if mm == 0 && any() || mm != 0 && any_of(mm) {
        pintrace_pinned_in_window(mm, address, pages);
    }
}

/// Does the work of [`pinned`] while a window is open.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_pinned_in_window(mm: u64, address: u64, pages: u64) -> u32 {
    let mm = if mm == 0 { kernel::current_mm() } else { mm };
    let window = pintrace_overlapping_window(mm, address, address + (pages << 12));
    if window != 0 {
        stats::add_event(window, stats::WindowEvent::Pins(pages), address);
    }
    0
}
