//! Pending-flush windows that are over, by process and cause, and what happened inside.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
    macros::map,
    maps::HashMap,
};
use pintrace_common::{
    counters::Loss,
    limits,
    watch::{DURATIONS, OpenWindow, WindowKey, Windows, cause},
};

use crate::{accounts, atomic::Word, count, kernel, loops::ON_DEMAND};

/// User space removes those of processes that have ended.
#[map]
static WINDOWS: HashMap<WindowKey, Windows> = HashMap::with_max_entries(limits::WINDOWS, ON_DEMAND);

/// A value for new entries, too large for the stack.
static EMPTY: Windows = Windows {
    windows: 0,
    pages: 0,
    longest_ns: 0,
    faults: 0,
    copies: 0,
    pins: 0,
    first_ns: 0,
    last_ns: 0,
    address: 0,
    comm: [0; limits::COMM_BYTES],
    durations: [0; DURATIONS],
};

/// The entry of a process and cause, made if there is none yet; then this is its first moment.
#[inline(always)]
fn entry(key: &WindowKey, first_ns: u64) -> Option<*mut Windows> {
    if let Some(windows) = WINDOWS.get_ptr_mut(key) {
        return Some(windows);
    }
    let empty: &Windows = &EMPTY;
    if WINDOWS.insert(key, empty, u64::from(BPF_NOEXIST)).is_ok()
        && let Some(windows) = WINDOWS.get_ptr_mut(key)
    {
        // SAFETY: a live map value that this program has just made.
        unsafe {
            (*windows).first_ns = first_ns;
            (*windows).comm = bpf_get_current_comm().unwrap_or([0; limits::COMM_BYTES]);
        }
        return Some(windows);
    }
    let windows = WINDOWS.get_ptr_mut(key);
    if windows.is_none() {
        count::loss(Loss::WatchFull, 1);
    }
    windows
}

/// Takes in a window that was over at that moment.
#[inline(always)]
pub fn over(window: &OpenWindow, over_ns: u64) {
    let key = WindowKey {
        tgid: window.tgid as u32,
        cause: window.cause as u32,
    };
    let Some(windows) = entry(&key, window.opened_ns) else {
        return;
    };
    let duration = over_ns - window.opened_ns;
    // SAFETY: a live map value; counts are added to atomically. The others may be older by one window.
    unsafe {
        Word::at(&raw mut (*windows).windows).add(1);
        // Of an addition of a known zero the compiler makes another operation, which kernels have since 5.12 only.
        if window.pages != 0 {
            Word::at(&raw mut (*windows).pages).add(window.pages);
        }
        (*windows).last_ns = over_ns;
        if (*windows).longest_ns < duration {
            (*windows).longest_ns = duration;
        }
        let place = (&raw mut (*windows).durations).cast::<u64>().add(bits(duration));
        Word::at(place).add(1);
    }
}

/// Bits that a duration has: it is less than 2 to that power. Never as much as [`DURATIONS`].
#[inline(always)]
fn bits(duration: u64) -> usize {
    let mut bits = 0u32;
    let mut step = 32u32;
    while step != 0 {
        if duration >> (bits + step) != 0 {
            bits += step;
        }
        step >>= 1;
    }
    let bits = if duration == 0 { 0 } else { bits + 1 };
    if bits < DURATIONS as u32 {
        bits as usize
    } else {
        DURATIONS - 1
    }
}

/// What happened inside a window.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    /// A write fault.
    Fault,
    /// A copy.
    Copy,
    /// So many pages were pinned.
    Pins(u64),
}

/// Counts what happened inside the window that [`name`] has named.
#[inline(always)]
pub fn inside(window: u64, what: Inside, address: u64) {
    let window = window - 1;
    let key = WindowKey {
        tgid: (window >> 32) as u32,
        cause: window as u32,
    };
    let now = accounts::time();
    let Some(windows) = entry(&key, now) else {
        return;
    };
    // SAFETY: as above.
    unsafe {
        match what {
            Inside::Fault => Word::at(&raw mut (*windows).faults).add(1),
            Inside::Copy => Word::at(&raw mut (*windows).copies).add(1),
            Inside::Pins(pages) => Word::at(&raw mut (*windows).pins).add(pages),
        }
        (*windows).address = address;
        (*windows).last_ns = now;
    }
}

/// A window as one number that is not 0, for [`inside`].
#[inline(always)]
pub fn name(window: &OpenWindow) -> u64 {
    (window.tgid << 32 | window.cause) + 1
}

/// The process whose address space this is.
#[inline(always)]
pub fn tgid_of(space: u64) -> u32 {
    if space != kernel::current_mm()
        && crate::facts::mm_owner() != pintrace_common::facts::Facts::ABSENT
        && let Some(owner) = kernel::read_u64(space + u64::from(crate::facts::mm_owner()))
        && let Some(tgid) = kernel::read_u32(owner + u64::from(crate::facts::task_tgid()))
    {
        return tgid;
    }
    (bpf_get_current_pid_tgid() >> 32) as u32
}

/// A look at what is dirty is a window of its own, of pages that nobody counts.
#[inline(always)]
pub fn soft_dirty(space: u64, opened_ns: u64) {
    let window = OpenWindow {
        opened_ns,
        cause: u64::from(cause::SOFT_DIRTY),
        tgid: u64::from(tgid_of(space)),
        ..OpenWindow::default()
    };
    over(&window, accounts::time());
}
