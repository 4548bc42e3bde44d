//! Open pending-flush windows: from the write protection of a range to the end of its flush.

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
    compat::loops::ON_DEMAND,
    count,
    facts::MM_EVENT_FACTS,
    kernel,
    ledger::accounts,
    mm_events::{
        flush_window::stats,
        per_tgid::{self, COUNTERS, PerTgidCounter},
        range_filter,
    },
};

/// By address space and place.
#[map]
static ACTIVE_WINDOWS: HashMap<ActiveWindowKey, ActiveWindow> =
    HashMap::with_max_entries(limits::OPEN_WINDOWS, ON_DEMAND);

/// How many are open in a process: spares all others a look-up. Of processes that share an address space and are no
/// threads, which is rare (vfork), one has them.
#[map]
static ACTIVE_WINDOWS_PER_TGID: Array<PerTgidCounter> = Array::with_max_entries(COUNTERS, 0);

/// One that is open for longer was left behind by a program that the kernel skipped.
const STALE_NS: u64 = 10_000_000_000;

/// Whether any window is open in the running task's process.
#[inline(always)]
pub fn any() -> bool {
    any_in((bpf_get_current_pid_tgid() >> 32) as u32)
}

/// Whether any is open in an address space.
#[inline(always)]
pub fn any_of(mm: u64) -> bool {
    any_in(stats::tgid_of(mm))
}

/// Whether any is open in a process.
#[inline(always)]
fn any_in(tgid: u32) -> bool {
    per_tgid::any(&ACTIVE_WINDOWS_PER_TGID, tgid)
}

#[inline(always)]
fn at(mm: u64, place: u32) -> ActiveWindowKey {
    ActiveWindowKey {
        mm,
        place: u64::from(place),
    }
}

/// The running task's window in an address space: its place, plus one; 0 if it has none. A global function: the
/// verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_current_window(mm: u64) -> u32 {
    let task = bpf_get_current_pid_tgid();
    let mut place = 0;
    while place < WINDOWS_PER_MM {
        if let Some(window) = ACTIVE_WINDOWS.at(at(mm, place))
            // A task's own does not change under it.
            && get!(window.pid_tgid) == task
        {
            return place + 1;
        }
        place += 1;
    }
    0
}

/// The running task's window.
#[inline(always)]
pub fn mine(mm: u64) -> Option<MapRef<ActiveWindow>> {
    match pintrace_current_window(mm) {
        0 => None,
        place => ACTIVE_WINDOWS.at(at(mm, place - 1)),
    }
}

/// Opens a window, or makes the task's own wider: several ranges may be protected before one flush.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_window_open(mm: u64, address: u64, end: u64, cause: u64) -> u32 {
    // userfaultfd's calls hold the address space themselves (`userfaultfd_writeprotect`, fs/userfaultfd.c).
    let own = cause == u64::from(cause::UFFD_WP) && mm == kernel::current_mm();
    let exposed = kernel::u32_at(mm + MM_EVENT_FACTS.mm_users()) > 1 + u32::from(own);
    // Where one task alone uses the address space there is nobody to see a stale translation.
    if !exposed && range_filter::pintrace_filter_overlaps(mm, address, end) == 0 {
        return 0;
    }
    let now = accounts::time();
    let tgid = stats::tgid_of(mm);
    if any_in(tgid)
        && let Some(window) = mine(mm)
    {
        // Only mprotect gathers for several ranges before one flush (`do_mprotect_pkey`, mm/mprotect.c): else the last
        // one is over, and a program that was skipped has left it behind.
        let ended = cause != u64::from(cause::PROTECT)
            || MM_EVENT_FACTS.protect_shape() as u32 == mm_events::protect::ALONE;
        // Only this task changes the window.
        let left = {
            if !ended && now - get!(window.opened_ns) < STALE_NS && get!(window.cause) == cause {
                set!(window.part = address);
                set!(window.part_end = end);
                set!(window.left_ns = 0);
                if address < get!(window.address) {
                    set!(window.address = address);
                }
                if end > get!(window.end) {
                    set!(window.end = end);
                }
                return 0;
            }
            get!(window.left_ns)
        };
        // What it changed, the return of change_protection alone tells.
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
        part: address,
        part_end: end,
        exposed: u64::from(exposed),
        tgid: u64::from(tgid),
        left_ns: 0,
    };
    let mut place = 0;
    while place < WINDOWS_PER_MM {
        let key = at(mm, place);
        forget_stale(key, now);
        if ACTIVE_WINDOWS.insert(key, window, u64::from(BPF_NOEXIST)).is_ok() {
            per_tgid::add(&ACTIVE_WINDOWS_PER_TGID, tgid, 1);
            return 0;
        }
        place += 1;
    }
    count::loss(Loss::MmEventTableFull, 1);
    0
}

/// Removes a window that was left behind.
#[inline(always)]
fn forget_stale(key: ActiveWindowKey, now: u64) {
    let Some(window) = ACTIVE_WINDOWS.at(key) else {
        return;
    };
    // Its task may be about to close it.
    let (opened, tgid) = (get!(window.opened_ns), get!(window.tgid));
    if now - opened >= STALE_NS && now > opened {
        remove(key, tgid);
        count::loss(Loss::WindowMissed, 1);
    }
}

#[inline(always)]
fn remove(key: ActiveWindowKey, tgid: u64) {
    if ACTIVE_WINDOWS.remove(key).is_ok() {
        per_tgid::add(&ACTIVE_WINDOWS_PER_TGID, tgid as u32, u64::MAX);
    }
}

/// Closes the running task's window, which was over at that moment; it counts if a page was changed, and not at all where
/// that moment is 0.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_window_close(mm: u64, over_ns: u64) -> u32 {
    let place = pintrace_current_window(mm);
    if place == 0 {
        return 0;
    }
    let key = at(mm, place - 1);
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

/// The window of another task that overlaps a range, as [`stats::name`] names it; 0 if there is none.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_overlapping_window(mm: u64, address: u64, end: u64) -> u64 {
    let task = bpf_get_current_pid_tgid();
    let now = accounts::time();
    let mut place = 0;
    while place < WINDOWS_PER_MM {
        if let Some(window) = ACTIVE_WINDOWS.at(at(mm, place)) {
            // SAFETY: a live map value; its task may be about to close it.
            let window = unsafe { &*window.as_ptr() };
            if window.pid_tgid != task
                && window.address < end
                && address < window.end
                && now - window.opened_ns < STALE_NS
            {
                return stats::id(window);
            }
        }
        place += 1;
    }
    0
}

/// Why `change_protection` is called; `None` where it protects nothing.
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
    // The area has its new permissions already.
    let vma_flags =
        kernel::read_u64(vma + MM_EVENT_FACTS.vma_flags()).unwrap_or(mm_events::protect::VM_WRITE);
    (vma_flags & mm_events::protect::VM_WRITE == 0).then_some(cause::PROTECT)
}
