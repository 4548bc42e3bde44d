//! Locks for kernels before 5.12, whose BPF has no compare-and-swap. A lock is an entry of a hash map, which only one
//! CPU can insert.
//!
//! Programs on these kernels run with preemption off, so a lock is held for a moment only. But an interrupt on the CPU
//! of the lock's holder waits in vain. The change is then not made, and counted as a loss.

use aya_ebpf::{bindings::BPF_NOEXIST, macros::map, maps::HashMap};

/// The locked objects, by the key that [`lock`] computes.
#[map]
static LOCKS: HashMap<u64, u64> = HashMap::with_max_entries(4096, 0);

/// Number of attempts to lock an object.
const ATTEMPTS: u32 = 64;

/// A lock that is held.
pub struct Held(u64);

/// The object of a lock.
#[derive(Clone, Copy)]
pub enum LockTarget {
    /// A folio, by the address of its head page.
    Folio(u64),
    /// An extent, by its index.
    Extent(u32),
    /// The range filter of an mm or address_space, by the address of that object.
    Filter(u64),
    /// The counters from which ids are allocated.
    Ids,
}

/// Locks an object. Returns `None` if the lock is still held after the last attempt.
#[inline(always)]
pub fn lock(what: LockTarget) -> Option<Held> {
    // Kernel addresses are larger than all indices.
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
    /// Unlocks the object.
    #[inline(always)]
    pub fn unlock(self) {
        let _ = LOCKS.remove(self.0);
    }
}
