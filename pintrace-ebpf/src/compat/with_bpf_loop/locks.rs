//! Folios, extents and ids need no lock where every change is one atomic instruction.

/// Nothing.
pub struct Held;

/// What is locked.
#[derive(Clone, Copy)]
#[expect(dead_code, reason = "only `compat/without_bpf_loop/locks.rs` looks at it")]
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
#[expect(clippy::unnecessary_wraps, reason = "without bpf_loop a lock can fail")]
pub fn lock(_what: LockTarget) -> Option<Held> {
    Some(Held)
}

impl Held {
    /// Unlocks.
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "without bpf_loop an unlock needs the lock")]
    pub fn unlock(self) {}
}
