//! The injected facts for these programs; see [`crate::facts`].

use pintrace_common::watch::WatchFacts;

use crate::kernel;

#[unsafe(no_mangle)]
static WATCH_FACTS: WatchFacts = WatchFacts {
    fault_vma: 0,
    fault_address: 0,
    fault_flags: 0,
    fault_page: 0,
    unshare: 0,
    vma_mm: 0,
    vma_flags: 0,
    mm_users: 0,
    flush_pending: 0,
    gather_mm: 0,
    page_mapping: 0,
    page_index: 0,
    regs_call: 0,
    regs_first: 0,
    regs_second: 0,
    regs_third: 0,
    regs_fourth: 0,
    regs_bytes: 0,
    unmap_shape: 0,
    unmap_start: 0,
    unmap_end: 0,
    advice_shape: 0,
    advice_behavior: 0,
    advice_mm: 0,
    protect_shape: 0,
    exclusive: 0,
    inode_data: 0,
    pg_lru: 0,
    pg_swapcache: 0,
    all: 0,
    references: 0,
};

/// `sizeof(struct pt_regs)`, which `elder/syscall.rs` needs.
#[allow(dead_code, reason = "kernels since 5.15 have a helper")]
#[inline(always)]
pub fn regs_bytes() -> u64 {
    // SAFETY: as below.
    u64::from(unsafe { core::ptr::read_volatile(&raw const WATCH_FACTS.regs_bytes) })
}

macro_rules! fact {
    ($($field:ident)+) => {
        $(#[inline(always)]
        pub fn $field() -> u64 {
            // SAFETY: the static lives as long as the program and is never written.
            u64::from(unsafe { core::ptr::read_volatile(&raw const WATCH_FACTS.$field) })
        })+
    };
}

fact! {
    fault_vma fault_address fault_flags fault_page unshare vma_mm vma_flags mm_users flush_pending gather_mm
    page_mapping page_index regs_call regs_first regs_second regs_third regs_fourth unmap_shape unmap_start unmap_end advice_shape advice_behavior advice_mm protect_shape inode_data pg_lru pg_swapcache all references
}

/// The address space of an area.
#[inline(always)]
pub fn space_of(vma: u64) -> u64 {
    kernel::u64_at(vma + vma_mm())
}
