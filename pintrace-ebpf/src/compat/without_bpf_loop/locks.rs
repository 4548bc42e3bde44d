//! Locks for kernels without compare-and-swap in BPF, before 5.12: an entry of a hash, which only one can insert.
//!
//! Programs there run with preemption off, so a lock is held for a moment only; but an interrupt on top of its
//! owner waits in vain. Then the change is not made, and counted as a loss.

use aya_ebpf::{bindings::BPF_NOEXIST, macros::map, maps::HashMap};

/// What is locked, by number.
#[map]
static LOCKS: HashMap<u64, u64> = HashMap::with_max_entries(4096, 0);

/// Attempts before giving up.
const ATTEMPTS: u32 = 64;

/// A lock that is held.
pub struct Held(u64);

/// What is locked.
#[derive(Clone, Copy)]
pub enum LockTarget {
    /// A folio, by the address of its head.
    Folio(u64),
    /// An extent.
    Extent(u32),
    /// What is watched of an address space or file.
    Filter(u64),
    /// The counters that give out ids.
    Ids,
}

/// Locks. `None` if it cannot be had.
#[inline(always)]
pub fn lock(what: LockTarget) -> Option<Held> {
    // Addresses of the kernel are beyond all indices.
    let key = match what {
        LockTarget::Folio(address) | LockTarget::Filter(address) => address,
        LockTarget::Extent(index) => u64::from(index) + 1,
        LockTarget::Ids => 0,
    };
    let mut attempt = 0;
    while attempt < ATTEMPTS {
        if LOCKS.insert(key, key, u64::from(BPF_NOEXIST)).is_ok() {
            return Some(Held(key));
        }
        attempt += 1;
    }
    None
}

impl Held {
    /// Unlocks.
    #[inline(always)]
    pub fn unlock(self) {
        let _ = LOCKS.remove(self.0);
    }
}
