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
pub fn lock(_what: LockTarget) -> Option<Held> {
    Some(Held)
}

impl Held {
    /// Unlocks.
    #[inline(always)]
    pub fn unlock(self) {}
}
