//! Statistics of closed pending-flush windows, by process and cause, and of the events inside.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
    macros::map,
    maps::HashMap,
};
use pintrace_common::{
    counters::Loss,
    limits,
    mm_events::{ActiveWindow, DURATIONS, WindowKey, WindowStats, cause},
};

use crate::map_ref::{Lookup, MapRef, get, set, word};
use crate::{atomic::Word, clock, compat::loops::HASH_FLAGS, count, facts::FACTS, kernel};

/// Statistics by process and cause. User space removes the entries of processes that have ended.
#[map]
static FLUSH_WINDOWS: HashMap<WindowKey, WindowStats> =
    HashMap::with_max_entries(limits::FLUSH_WINDOWS, HASH_FLAGS);

/// The value of a new entry, too large for the stack.
static EMPTY: WindowStats = WindowStats {
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

/// Returns the entry of a process and cause. A new entry gets `first_ns` as its first time.
#[inline(always)]
fn entry(key: &WindowKey, first_ns: u64) -> Option<MapRef<WindowStats>> {
    if let Some(windows) = FLUSH_WINDOWS.at(key) {
        return Some(windows);
    }
    let empty: &WindowStats = &EMPTY;
    if FLUSH_WINDOWS.insert(key, empty, u64::from(BPF_NOEXIST)).is_ok()
        && let Some(windows) = FLUSH_WINDOWS.at(key)
    {
        set!(windows.first_ns = first_ns);
        set!(windows.comm = bpf_get_current_comm().unwrap_or([0; limits::COMM_BYTES]));
        return Some(windows);
    }
    let windows = FLUSH_WINDOWS.at(key);
    if windows.is_none() {
        count::loss(Loss::MmEventTableFull, 1);
    }
    windows
}

/// Adds a window that ended at `over_ns` (monotonic ns).
#[inline(always)]
pub fn closed(window: &ActiveWindow, over_ns: u64) {
    let key = WindowKey {
        tgid: window.tgid as u32,
        cause: window.cause as u32,
    };
    let Some(windows) = entry(&key, window.opened_ns) else {
        return;
    };
    let duration = over_ns - window.opened_ns;
    // The counts change atomically. The other fields may miss one window.
    word!(windows.windows).add(1);
    // The compiler turns an addition of a known zero into another operation, which only kernels since 5.12 have.
    if window.pages != 0 {
        word!(windows.pages).add(window.pages);
    }
    set!(windows.last_ns = over_ns);
    if get!(windows.longest_ns) < duration {
        set!(windows.longest_ns = duration);
    }
    // SAFETY: a live map value. `bits` is below the length of the array.
    let bucket = unsafe {
        let durations = (&raw mut (*windows.as_ptr()).durations).cast::<u64>();
        Word::at(durations.add(bits(duration)))
    };
    bucket.add(1);
}

/// Returns the number of bits of a duration, which is less than 2 to that power. The number is below [`DURATIONS`].
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

/// An event inside a window.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum WindowEvent {
    /// A write fault.
    Fault,
    /// A copy on write.
    Cow,
    /// A pin call with this number of pages.
    Pins(u64),
}

/// Counts an event inside the window with an id from [`id`].
#[inline(always)]
pub fn add_event(window: u64, what: WindowEvent, address: u64) {
    let window = window - 1;
    let key = WindowKey {
        tgid: (window >> 32) as u32,
        cause: window as u32,
    };
    let now = clock::time();
    let Some(windows) = entry(&key, now) else {
        return;
    };
    match what {
        WindowEvent::Fault => word!(windows.faults).add(1),
        WindowEvent::Cow => word!(windows.copies).add(1),
        WindowEvent::Pins(pages) => word!(windows.pins).add(pages),
    }
    set!(windows.address = address);
    set!(windows.last_ns = now);
}

/// Returns process and cause of a window as one number that is not 0.
#[inline(always)]
pub fn id(window: &ActiveWindow) -> u64 {
    (window.tgid << 32 | window.cause) + 1
}

/// Returns the process of an mm.
#[inline(always)]
pub fn tgid_of(mm: u64) -> u32 {
    if mm != kernel::current_mm()
        && FACTS.mm_owner() != pintrace_common::facts::Facts::ABSENT
        && let Some(owner) = kernel::read_u64(mm + u64::from(FACTS.mm_owner()))
        && let Some(tgid) = kernel::read_u32(owner + u64::from(FACTS.task_tgid()))
    {
        return tgid;
    }
    (bpf_get_current_pid_tgid() >> 32) as u32
}

/// Adds one clear_refs call on the soft-dirty bits as a window. No hook counts the pages.
#[inline(always)]
pub fn soft_dirty(mm: u64, opened_ns: u64) {
    let window = ActiveWindow {
        opened_ns,
        cause: u64::from(cause::SOFT_DIRTY),
        tgid: u64::from(tgid_of(mm)),
        ..ActiveWindow::default()
    };
    closed(&window, clock::time());
}
