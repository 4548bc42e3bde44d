//! Empty locks: every change of a folio, an extent or the ids is one atomic instruction.

/// An empty lock.
pub struct Held;

/// The object of a lock.
#[derive(Clone, Copy)]
#[expect(dead_code, reason = "only `compat/without_bpf_loop/locks.rs` looks at it")]
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

/// Locks an object. Without `bpf_loop` the result is `None` if the lock is not free.
#[inline(always)]
#[expect(clippy::unnecessary_wraps, reason = "without bpf_loop a lock can fail")]
pub fn lock(_what: LockTarget) -> Option<Held> {
    Some(Held)
}

impl Held {
    /// Unlocks the object.
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "without bpf_loop an unlock needs the lock")]
    pub fn unlock(self) {}
}
