//! Open pending-flush windows: from the write protection of a range to the end of the flush.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::bpf_get_current_pid_tgid,
    macros::map,
    maps::{Array, HashMap},
};
use pintrace_common::{
    counters::Loss,
    limits,
    mm_events::{self, ActiveWindow, ActiveWindowKey, WINDOWS_PER_MM, cause},
};

use crate::map_ref::{Lookup, MapRef, get, set};
use crate::{
    clock,
    compat::loops::HASH_FLAGS,
    count,
    facts::MM_EVENT_FACTS,
    kernel,
    ledger::state,
    mm_events::{
        flush_window::stats,
        per_tgid::{self, COUNTERS, PerTgidCounter},
        range_filter,
    },
};

/// Open windows by mm and slot.
#[map]
static ACTIVE_WINDOWS: HashMap<ActiveWindowKey, ActiveWindow> =
    HashMap::with_max_entries(limits::OPEN_WINDOWS, HASH_FLAGS);

/// Number of open windows by process. At 0 the hooks make no look-up. Of processes that share an mm without being
/// threads, which is rare (vfork), one process counts the windows.
#[map]
static ACTIVE_WINDOWS_PER_TGID: Array<PerTgidCounter> = Array::with_max_entries(COUNTERS, 0);

/// Maximum age of a window. An older window is left over: the kernel skipped the program that closes the window.
const STALE_NS: u64 = 10_000_000_000;

/// Returns true if a window is open in the running task's process.
#[inline(always)]
pub fn any() -> bool {
    state::open_windows().load() != 0 && any_in((bpf_get_current_pid_tgid() >> 32) as u32)
}

/// Returns true if a window is open in the process of an mm.
#[inline(always)]
pub fn any_of(mm: u64) -> bool {
    any_in(stats::tgid_of(mm))
}

/// Returns true if a window is open in a process.
#[inline(always)]
fn any_in(tgid: u32) -> bool {
    per_tgid::any(&ACTIVE_WINDOWS_PER_TGID, tgid)
}

#[inline(always)]
fn at(mm: u64, slot: u32) -> ActiveWindowKey {
    ActiveWindowKey {
        mm,
        slot: u64::from(slot),
    }
}

/// Returns the slot of the running task's window in an mm, plus one; 0 if the task has none. The function is global,
/// so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_current_window(mm: u64) -> u32 {
    let task = bpf_get_current_pid_tgid();
    let mut slot = 0;
    while slot < WINDOWS_PER_MM {
        if let Some(window) = ACTIVE_WINDOWS.at(at(mm, slot))
            // Only the task itself changes its window.
            && get!(window.pid_tgid) == task
        {
            return slot + 1;
        }
        slot += 1;
    }
    0
}

/// Returns the running task's window in an mm.
#[inline(always)]
pub fn mine(mm: u64) -> Option<MapRef<ActiveWindow>> {
    match pintrace_current_window(mm) {
        0 => None,
        slot => ACTIVE_WINDOWS.at(at(mm, slot - 1)),
    }
}

/// Opens a window, or widens the task's window, because a call may protect several ranges before one flush.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_window_open(mm: u64, address: u64, end: u64, cause: u64) -> u32 {
    // userfaultfd itself holds a reference to the mm during the call (`userfaultfd_writeprotect`, fs/userfaultfd.c).
    let own = cause == u64::from(cause::UFFD_WP) && mm == kernel::current_mm();
    let exposed = kernel::u32_at(mm + MM_EVENT_FACTS.mm_users()) > 1 + u32::from(own);
    // If one task alone uses the mm, no other task can use a stale translation.
    if !exposed && range_filter::pintrace_filter_overlaps(mm, address, end) == 0 {
        return 0;
    }
    let now = clock::time();
    let tgid = stats::tgid_of(mm);
    if any_in(tgid)
        && let Some(window) = mine(mm)
    {
        // Only mprotect protects several ranges before one flush (`do_mprotect_pkey`, mm/mprotect.c). Any other old
        // window is over: the kernel skipped the program that closes the window.
        let ended = cause != u64::from(cause::PROTECT)
            || MM_EVENT_FACTS.protect_prototype() as u32 == mm_events::protect::WITHOUT_TLB;
        // Only this task changes the window.
        let left = {
            if !ended && now - get!(window.opened_ns) < STALE_NS && get!(window.cause) == cause {
                set!(window.latest_start = address);
                set!(window.latest_end = end);
                set!(window.returned_ns = 0);
                if address < get!(window.address) {
                    set!(window.address = address);
                }
                if end > get!(window.end) {
                    set!(window.end = end);
                }
                return 0;
            }
            get!(window.returned_ns)
        };
        // Only the return of change_protection shows the number of changed pages, and no program saw the return.
        if ended && left == 0 {
            count::loss(Loss::WindowMissed, 1);
        }
        pintrace_window_close(mm, left);
    }
    let window = ActiveWindow {
        pid_tgid: bpf_get_current_pid_tgid(),
        address,
        end,
        opened_ns: now,
        pages: 0,
        cause,
        latest_start: address,
        latest_end: end,
        exposed: u64::from(exposed),
        tgid: u64::from(tgid),
        returned_ns: 0,
    };
    let mut slot = 0;
    while slot < WINDOWS_PER_MM {
        let key = at(mm, slot);
        forget_stale(key, now);
        if ACTIVE_WINDOWS.insert(key, window, u64::from(BPF_NOEXIST)).is_ok() {
            count_windows(tgid, 1);
            return 0;
        }
        slot += 1;
    }
    count::loss(Loss::MmEventTableFull, 1);
    0
}

/// Removes a window that a skipped program left open.
#[inline(always)]
fn forget_stale(key: ActiveWindowKey, now: u64) {
    let Some(window) = ACTIVE_WINDOWS.at(key) else {
        return;
    };
    // The window's task may be about to close the window.
    let (opened, tgid) = (get!(window.opened_ns), get!(window.tgid));
    if now - opened >= STALE_NS && now > opened {
        remove(key, tgid);
        count::loss(Loss::WindowMissed, 1);
    }
}

/// Adds `n`, which may be -1, to the number of open windows of a process.
#[inline(always)]
fn count_windows(tgid: u32, n: u64) {
    state::open_windows().add(n);
    per_tgid::add(&ACTIVE_WINDOWS_PER_TGID, tgid, n);
}

#[inline(always)]
fn remove(key: ActiveWindowKey, tgid: u64) {
    if ACTIVE_WINDOWS.remove(key).is_ok() {
        count_windows(tgid as u32, u64::MAX);
    }
}

/// Closes the running task's window in an mm. An exposed window with changed pages is counted, with `over_ns` as its
/// end (monotonic ns). If `over_ns` is 0, the window is discarded.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_window_close(mm: u64, over_ns: u64) -> u32 {
    let slot = pintrace_current_window(mm);
    if slot == 0 {
        return 0;
    }
    let key = at(mm, slot - 1);
    let Some(window) = ACTIVE_WINDOWS.at(key) else {
        return 0;
    };
    // Only this task changes the window.
    let window = window.copy();
    remove(key, window.tgid);
    if over_ns != 0 && window.exposed != 0 && window.pages != 0 {
        stats::closed(&window, over_ns);
    }
    0
}

/// Returns the id ([`stats::id`]) of another task's window that overlaps a range; 0 if there is none.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_overlapping_window(mm: u64, address: u64, end: u64) -> u64 {
    let task = bpf_get_current_pid_tgid();
    let now = clock::time();
    let mut slot = 0;
    while slot < WINDOWS_PER_MM {
        if let Some(window) = ACTIVE_WINDOWS.at(at(mm, slot)) {
            // SAFETY: a live map value. The window's task may be about to close the window.
            let window = unsafe { &*window.as_ptr() };
            if window.pid_tgid != task
                && window.address < end
                && address < window.end
                && now - window.opened_ns < STALE_NS
            {
                return stats::id(window);
            }
        }
        slot += 1;
    }
    0
}

/// Returns the cause of a change_protection call; `None` if the call protects nothing.
#[inline(always)]
pub fn cause_of(flags: u64, vma: u64) -> Option<u32> {
    if flags & mm_events::protect::UFFD_WP != 0 {
        return Some(cause::UFFD_WP);
    }
    if flags & mm_events::protect::NUMA != 0 {
        return Some(cause::NUMA);
    }
    if flags & (mm_events::protect::RESOLVE | mm_events::protect::RWP) != 0 {
        return None;
    }
    // The vma has its new permissions already.
    let vma_flags =
        kernel::read_u64(vma + MM_EVENT_FACTS.vma_flags()).unwrap_or(mm_events::protect::VM_WRITE);
    (vma_flags & mm_events::protect::VM_WRITE == 0).then_some(cause::PROTECT)
}
