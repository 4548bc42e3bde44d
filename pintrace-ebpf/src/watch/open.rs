//! Pending-flush windows that are open: from the moment at which a range is write-protected to the end of the flush.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::bpf_get_current_pid_tgid,
    macros::map,
    maps::{Array, HashMap},
};
use pintrace_common::{
    counters::Loss,
    limits,
    watch::{self, OPEN_WINDOWS, OpenKey, OpenWindow, cause},
};

use crate::{accounts, count, kernel, loops::ON_DEMAND};

use super::{
    facts, grains,
    tally::{self, PLACES, Tally},
    windows,
};

/// By address space and place.
#[map]
static OPEN: HashMap<OpenKey, OpenWindow> = HashMap::with_max_entries(limits::OPEN_WINDOWS, ON_DEMAND);

/// How many are open in a process: spares all others a look-up. Of processes that share an address space and are no
/// threads, which is rare (vfork), one has them.
#[map]
static OPEN_COUNT: Array<Tally> = Array::with_max_entries(PLACES, 0);

/// One that is open for longer was left behind by a program that the kernel skipped.
const STALE_NS: u64 = 10_000_000_000;

/// Whether any window is open in the running task's process.
#[inline(always)]
pub fn any() -> bool {
    any_in((bpf_get_current_pid_tgid() >> 32) as u32)
}

/// Whether any is open in an address space.
#[inline(always)]
pub fn any_of(space: u64) -> bool {
    any_in(windows::tgid_of(space))
}

/// Whether any is open in a process.
#[inline(always)]
fn any_in(tgid: u32) -> bool {
    tally::any(&OPEN_COUNT, tgid)
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
    // userfaultfd's calls hold the address space themselves (`userfaultfd_writeprotect`, fs/userfaultfd.c).
    let own = cause == u64::from(cause::UFFD_WP) && space == kernel::current_mm();
    let exposed = kernel::u32_at(space + facts::mm_users()) > 1 + u32::from(own);
    // Where one task alone uses the address space there is nobody to see a stale translation.
    if !exposed && grains::pintrace_is_watched(space, address, end) == 0 {
        return 0;
    }
    let now = accounts::time();
    let tgid = windows::tgid_of(space);
    if any_in(tgid)
        && let Some(window) = mine(space)
    {
        // Only mprotect gathers for several ranges before one flush (`do_mprotect_pkey`, mm/mprotect.c): else the last
        // one is over, and a program that was skipped has left it behind.
        let ended =
            cause != u64::from(cause::PROTECT) || facts::protect_shape() as u32 == watch::protect::ALONE;
        // SAFETY: a live map value that only this task changes.
        let left = unsafe {
            if !ended && now - (*window).opened_ns < STALE_NS && (*window).cause == cause {
                (*window).part = address;
                (*window).part_end = end;
                (*window).left_ns = 0;
                if address < (*window).address {
                    (*window).address = address;
                }
                if end > (*window).end {
                    (*window).end = end;
                }
                return 0;
            }
            (*window).left_ns
        };
        // What it changed, the return of change_protection alone tells.
        if ended && left == 0 {
            count::loss(Loss::WindowMissed, 1);
        }
        pintrace_window_close(space, left);
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
        tgid: u64::from(tgid),
        left_ns: 0,
    };
    let mut place = 0;
    while place < OPEN_WINDOWS {
        let key = at(space, place);
        forget_stale(key, now);
        if OPEN.insert(key, window, u64::from(BPF_NOEXIST)).is_ok() {
            tally::add(&OPEN_COUNT, tgid, 1);
            return 0;
        }
        place += 1;
    }
    count::loss(Loss::WatchFull, 1);
    0
}

/// Removes a window that was left behind.
#[inline(always)]
fn forget_stale(key: OpenKey, now: u64) {
    let Some(window) = OPEN.get_ptr(key) else {
        return;
    };
    // SAFETY: a live map value; its task may be about to close it.
    let (opened, tgid) = unsafe { ((*window).opened_ns, (*window).tgid) };
    if now - opened >= STALE_NS && now > opened {
        remove(key, tgid);
        count::loss(Loss::WindowMissed, 1);
    }
}

#[inline(always)]
fn remove(key: OpenKey, tgid: u64) {
    if OPEN.remove(key).is_ok() {
        tally::add(&OPEN_COUNT, tgid as u32, u64::MAX);
    }
}

/// Closes the running task's window, which was over at that moment; it counts if a page was changed, and not at all where
/// that moment is 0.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_window_close(space: u64, over_ns: u64) -> u32 {
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
    remove(key, window.tgid);
    if over_ns != 0 && window.exposed != 0 && window.pages != 0 {
        windows::over(&window, over_ns);
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
                return windows::name(window);
            }
        }
        place += 1;
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
