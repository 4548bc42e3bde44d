//! Pending-flush windows that are open: from the moment at which a range is write-protected to the end of the flush.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::bpf_get_current_pid_tgid,
    macros::map,
    maps::{Array, HashMap, PerCpuArray},
};
use pintrace_common::{
    counters::Loss,
    limits,
    watch::{self, OPEN_WINDOWS, OpenKey, OpenWindow, cause, check},
};

use crate::{accounts, atomic::Word, count, kernel, loops::ON_DEMAND};

use super::{facts, grains, windows};

/// By address space and place.
#[map]
static OPEN: HashMap<OpenKey, OpenWindow> = HashMap::with_max_entries(limits::OPEN_WINDOWS, ON_DEMAND);

/// How many are open: spares all others a look-up.
#[map]
static OPEN_COUNT: Array<u64> = Array::with_max_entries(1, 0);

/// Faults by [`check`].
#[map]
static FLUSH_CHECK: PerCpuArray<u64> = PerCpuArray::with_max_entries(check::COUNT, 0);

/// One that is open for longer was left behind by a program that the kernel skipped.
const STALE_NS: u64 = 10_000_000_000;

/// Whether any window is open.
#[inline(always)]
pub fn any() -> bool {
    OPEN_COUNT.get(0).copied().unwrap_or(0) != 0
}

#[inline(always)]
fn opened(n: u64) {
    if let Some(open) = OPEN_COUNT.get_ptr_mut(0) {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(open) }.add(n);
    }
}

#[inline(always)]
fn at(space: u64, place: u32) -> OpenKey {
    OpenKey {
        space,
        place: u64::from(place),
    }
}

/// The running task's window in an address space: its place, plus one; 0 if it has none. A global function: the
/// verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_my_window(space: u64) -> u32 {
    let task = bpf_get_current_pid_tgid();
    let mut place = 0;
    while place < OPEN_WINDOWS {
        if let Some(window) = OPEN.get_ptr(at(space, place))
            // SAFETY: a live map value; a task's own does not change under it.
            && unsafe { (*window).pid_tgid } == task
        {
            return place + 1;
        }
        place += 1;
    }
    0
}

/// The running task's window.
#[inline(always)]
pub fn mine(space: u64) -> Option<*mut OpenWindow> {
    match pintrace_my_window(space) {
        0 => None,
        place => OPEN.get_ptr_mut(at(space, place - 1)),
    }
}

/// Opens a window, or makes the task's own wider: several ranges may be protected before one flush.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_window_open(space: u64, address: u64, end: u64, cause: u64) -> u32 {
    let exposed = kernel::read_u32(space + facts::mm_users()).unwrap_or(0) > 1;
    // Where one task alone uses the address space there is nobody to see a stale translation.
    if !exposed && grains::pintrace_is_watched(space, address, end) == 0 {
        return 0;
    }
    let now = accounts::time();
    if any()
        && let Some(window) = mine(space)
    {
        // Only where it ends with `change_protection` must the last one be over.
        let ended = facts::protect_shape() as u32 == watch::protect::ALONE;
        // SAFETY: a live map value that only this task changes.
        unsafe {
            if !ended && now - (*window).opened_ns < STALE_NS && (*window).cause == cause {
                (*window).part = address;
                (*window).part_end = end;
                (*window).inside = 1;
                if address < (*window).address {
                    (*window).address = address;
                }
                if end > (*window).end {
                    (*window).end = end;
                }
                return 0;
            }
        }
        if ended {
            count::loss(Loss::WindowMissed, 1);
        }
        pintrace_window_close(space, 0);
    }
    let window = OpenWindow {
        pid_tgid: bpf_get_current_pid_tgid(),
        address,
        end,
        opened_ns: now,
        pages: 0,
        cause,
        part: address,
        part_end: end,
        exposed: u64::from(exposed),
        inside: 1,
    };
    let mut place = 0;
    while place < OPEN_WINDOWS {
        if OPEN
            .insert(at(space, place), window, u64::from(BPF_NOEXIST))
            .is_ok()
        {
            opened(1);
            return 0;
        }
        place += 1;
    }
    count::loss(Loss::WatchFull, 1);
    0
}

/// Closes the running task's window; it counts if `counts` and a page was changed.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_window_close(space: u64, counts: u32) -> u32 {
    let place = pintrace_my_window(space);
    if place == 0 {
        return 0;
    }
    let key = at(space, place - 1);
    let Some(window) = OPEN.get_ptr(key) else {
        return 0;
    };
    // SAFETY: a live map value that only this task changes.
    let window = unsafe { *window };
    if OPEN.remove(key).is_ok() {
        opened(u64::MAX);
    }
    if counts != 0 && window.exposed != 0 && window.pages != 0 {
        windows::over(space, &window);
    }
    0
}

/// The window of another task that overlaps a range, as [`windows::name`] names it; 0 if there is none.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_window_over(space: u64, address: u64, end: u64) -> u64 {
    let task = bpf_get_current_pid_tgid();
    let now = accounts::time();
    let mut place = 0;
    while place < OPEN_WINDOWS {
        if let Some(window) = OPEN.get_ptr(at(space, place)) {
            // SAFETY: a live map value; its task may be about to close it.
            let window = unsafe { &*window };
            if window.pid_tgid != task
                && window.address < end
                && address < window.end
                && now - window.opened_ns < STALE_NS
            {
                return windows::name(space, window.cause);
            }
        }
        place += 1;
    }
    0
}

/// A write fault: the window that covers it, if one does. Compared with the kernel's own count, which the caller's page
/// table lock makes as true as it is for the kernel (`inc_tlb_flush_pending`, include/linux/mm_types.h).
#[inline(always)]
pub fn fault(space: u64, address: u64) -> u64 {
    let pending = kernel::read_u32(space + facts::flush_pending()).unwrap_or(0) != 0;
    let window = pintrace_window_over(space, address, address + 4096);
    let which = match (window != 0, pending) {
        (true, true) => check::AGREED,
        (true, false) => check::COVERED,
        (false, true) => check::PENDING,
        (false, false) => return 0,
    };
    if let Some(counter) = FLUSH_CHECK.get_ptr_mut(which) {
        // SAFETY: a live map value, accessed atomically.
        unsafe { Word::at(counter) }.add(1);
    }
    if window != 0 {
        windows::inside(window, windows::Inside::Fault, address);
    }
    window
}

/// Pages were pinned.
#[inline(always)]
pub fn pinned(space: u64, address: u64, pages: u64) {
    if any() {
        pintrace_pinned_in_window(space, address, pages);
    }
}

/// ... while some window is open.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_pinned_in_window(space: u64, address: u64, pages: u64) -> u32 {
    let space = if space == 0 { kernel::current_mm() } else { space };
    let window = pintrace_window_over(space, address, address + (pages << 12));
    if window != 0 {
        windows::inside(window, windows::Inside::Pins(pages), address);
    }
    0
}

/// Why `change_protection` is called; `None` where it protects nothing.
#[inline(always)]
pub fn cause_of(flags: u64, vma: u64) -> Option<u32> {
    if flags & watch::protect::UFFD_WP != 0 {
        return Some(cause::UFFD_WP);
    }
    if flags & watch::protect::NUMA != 0 {
        return Some(cause::NUMA);
    }
    if flags & (watch::protect::RESOLVE | watch::protect::RWP) != 0 {
        return None;
    }
    // The area has its new permissions already.
    let vma_flags = kernel::read_u64(vma + facts::vma_flags()).unwrap_or(watch::protect::VM_WRITE);
    (vma_flags & watch::protect::VM_WRITE == 0).then_some(cause::PROTECT)
}
